import { lstat, readdir, readlink, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileSystemFailure, type Limits, limits } from '#base/index.ts'
import { failure } from './codes.ts'
import { hostFiles } from './host-files.ts'
import { machineOf } from './machines.ts'
import { sharedLibraries } from './shared-libraries.ts'
import type { LayerExecutable, LayerFile, LayerSpec } from './spec.ts'

interface Owned {
  /** Relative, without "." or "..", without a slash at its end. */
  readonly path: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/** One member of a layer to be. */
export type LayerEntry = Owned &
  (
    | { readonly kind: 'file'; readonly sizeBytes: number; readonly from: string | Uint8Array }
    | { readonly kind: 'directory' }
    | { readonly kind: 'symlink'; readonly target: string }
  )

export interface EntriesOptions {
  /** OCI's name of the processor that executables must be for. */
  readonly architecture: string
  /** Directories, and links to them, that layers below have; those made here are added. Undefined where a base may have any. */
  readonly directories?: Set<string> | undefined
  readonly limits?: Limits | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * All members of one layer, in byte order of their paths, directories before what is in them. Parents that nobody
 * names are made where there is no base; over a base they stay as they are there, links included.
 *
 * @throws IMAGE_SPEC_INVALID, IMAGE_FILE_UNSUITABLE, EXECUTABLE_INVALID, LIBRARY_MISSING, LIBRARY_CONFLICT
 */
export async function layerEntries(spec: LayerSpec, options: EntriesOptions): Promise<readonly LayerEntry[]> {
  const gathering = new Gathering(options)
  for (const { path, ...owner } of spec.directories ?? []) {
    gathering.add({ ...owned(path, owner, 0o755), kind: 'directory' })
  }
  for (const { path, target } of spec.symlinks ?? []) {
    if (target === '' || target.includes('\0')) throw invalid(`the link ${path} has no valid target`)
    gathering.add({ ...owned(path, {}, 0o777), mode: 0o777, kind: 'symlink', target })
  }
  for (const file of spec.files ?? []) await gathering.addFile(file)
  for (const executable of spec.executables ?? []) await gathering.addExecutable(executable)
  return gathering.finish()
}

class Gathering {
  readonly #entries = new Map<string, LayerEntry>()
  readonly #options: EntriesOptions
  constructor(options: EntriesOptions) {
    this.#options = options
  }

  add(entry: LayerEntry): void {
    const other = this.#entries.get(entry.path)
    if (!other) {
      this.#entries.set(entry.path, entry)
    } else if (other.kind !== 'directory' || entry.kind !== 'directory') {
      throw invalid(`two things in one layer have the path /${entry.path}`)
    }
    // Of two directories the first stays: those that say their mode come before the trees that pass through.
  }

  async addFile(file: LayerFile): Promise<void> {
    const { from, content, to } = file
    if ((from === undefined) === (content === undefined)) {
      throw invalid(`the file ${to} needs one of "from" and "content"`)
    }
    if (content !== undefined) {
      const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
      this.add({ ...owned(to, file, 0o644), kind: 'file', sizeBytes: bytes.length, from: bytes })
      return
    }
    await this.#addHost(resolve(from!), to, file, true)
  }

  async #addHost(from: string, to: string, file: LayerFile, top: boolean): Promise<void> {
    this.#options.signal?.throwIfAborted()
    // The path that was given may be a link to what is meant; links below it are content.
    const stats = await guard(from, top ? stat(from) : lstat(from))
    if (stats.isFile()) {
      const mode = (stats.mode & 0o100) === 0 ? 0o644 : 0o755
      this.add({ ...owned(to, file, mode), kind: 'file', sizeBytes: stats.size, from })
    } else if (stats.isSymbolicLink()) {
      const target = await guard(from, readlink(from))
      this.add({ ...owned(to, { ...file, mode: 0o777 }, 0o777), kind: 'symlink', target })
    } else if (stats.isDirectory()) {
      if (clean(to) !== '') this.add({ ...owned(to, { ...file, mode: 0o755 }, 0o755), kind: 'directory' })
      for (const name of await guard(from, readdir(from))) {
        await this.#addHost(join(from, name), join(to, name), file, false)
      }
    } else {
      throw failure('IMAGE_FILE_UNSUITABLE', `${from} is a device, socket or pipe`)
    }
  }

  async addExecutable({ from, to, libraries }: LayerExecutable): Promise<void> {
    const { architecture, limits: bounds = limits } = this.#options
    const executable = resolve(from)
    const { elf, files } = await sharedLibraries(executable, hostFiles(), libraries, bounds)
    const machine = machineOf(elf)?.architecture ?? `machine ${elf.machine}`
    if (machine !== architecture) {
      throw failure('EXECUTABLE_INVALID', `${from} is for ${machine}, but the image for ${architecture}`)
    }
    for (const library of files) await this.#addProgram(library.from, library.to)
    await this.#addProgram(executable, to ?? executable)
  }

  async #addProgram(from: string, to: string): Promise<void> {
    const other = this.#entries.get(clean(to))
    const real = (await hostFiles().realFile(from)) ?? from
    if (other?.kind === 'file' && other.from === real) return
    if (other)
      throw failure('LIBRARY_CONFLICT', `${real} and something else both belong at ${to} in the image`)
    const { size } = await guard(real, stat(real))
    this.add({ ...owned(to, {}, 0o755), kind: 'file', sizeBytes: size, from: real })
  }

  finish(): readonly LayerEntry[] {
    const known = this.#options.directories
    for (const { path } of [...this.#entries.values()]) {
      for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
        const parent = path.slice(0, at)
        const entry = this.#entries.get(parent)
        if (entry && entry.kind !== 'directory')
          throw invalid(`/${path} lies under /${parent}, which is a file or link`)
        if (entry || !known || known.has(parent)) continue
        this.#entries.set(parent, { ...owned(parent, {}, 0o755), kind: 'directory' })
      }
    }
    const entries = [...this.#entries.values()]
    // A link counts as well: a directory in its place would hide what it leads to.
    for (const { kind, path } of entries) if (kind !== 'file') known?.add(path)
    return entries
      .map((entry) => ({ entry, key: Buffer.from(entry.path) }))
      .sort((a, b) => Buffer.compare(a.key, b.key))
      .map(({ entry }) => entry)
  }
}

function owned(path: string, owner: { mode?: number; uid?: number; gid?: number }, mode: number): Owned {
  const cleaned = clean(path)
  if (cleaned === '') throw invalid(`${JSON.stringify(path)} is not a path for a file`)
  const { uid = 0, gid = 0 } = owner
  if (![uid, gid].every((id) => Number.isInteger(id) && id >= 0 && id < 2 ** 32 - 1)) {
    throw invalid(`${path} has an owner that is no user or group id`)
  }
  const wanted = owner.mode ?? mode
  if (!Number.isInteger(wanted) || wanted < 0 || wanted > 0o7777) throw invalid(`${path} has no valid mode`)
  return { path: cleaned, mode: wanted, uid, gid }
}

function clean(path: string): string {
  const names = path.split('/').filter((name) => name !== '' && name !== '.')
  for (const name of names) {
    if (name === '..' || name.includes('\0'))
      throw invalid(`${JSON.stringify(path)} is not a path in an image`)
    // image-spec layer.md, Whiteouts: such a name would remove a file, not add one.
    if (name.startsWith('.wh.')) throw invalid(`${path} has a name that means a removal in a layer`)
    if (Buffer.byteLength(name) > limits.nameBytes) throw invalid(`${path} has too long a name`)
  }
  const cleaned = names.join('/')
  if (Buffer.byteLength(cleaned) > limits.pathBytes) throw invalid('a path in the image is too long')
  return cleaned
}

async function guard<T>(path: string, looking: Promise<T>): Promise<T> {
  try {
    return await looking
  } catch (error) {
    const cause = fileSystemFailure(path, error)
    if (cause.detail.errno !== 'ENOENT' && cause.detail.errno !== 'ENOTDIR') throw cause
    throw failure('IMAGE_FILE_UNSUITABLE', `there is no file ${path}`, { cause })
  }
}

function invalid(why: string) {
  return failure('IMAGE_SPEC_INVALID', why)
}
