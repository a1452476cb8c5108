import { basename, dirname, join } from 'node:path'
import { isFailure, type Limits, limits } from '#base/index.ts'
import { failure } from './codes.ts'
import { type Elf, readElf } from './elf.ts'
import type { HostFiles } from './host-files.ts'
import { configuredDirectories, defaultDirectories } from './linker-directories.ts'
import { type Machine, machineOf, sameMachine } from './machines.ts'

/** A file that an executable needs to run: where it lies on this machine, and where in the image it is found. */
export interface LoadedFile {
  readonly from: string
  readonly to: string
}

export interface SharedLibraries {
  readonly elf: Elf
  /** The dynamic linker and all libraries, in the order they are loaded; none for a static executable. */
  readonly files: readonly LoadedFile[]
}

interface Loaded {
  readonly name: string
  /** As the linker would name it, for $ORIGIN. */
  readonly path: string
  readonly real: string
  readonly elf: Elf
  /** Who asked for it: RPATHs are inherited along this chain. */
  readonly loader?: Loaded
}

/**
 * Finds every shared library that an executable loads at its start, as ld.so(8) does: the RPATHs of the file and
 * of those that loaded it, unless it has a RUNPATH; its RUNPATH; the directories of /etc/ld.so.conf (ld.so reads
 * them from a cache that ldconfig made of them); the linker's own default directories. Files of another machine
 * are passed over, and a name that is loaded already is not looked for again. LD_LIBRARY_PATH is not used: an
 * image must not depend on who builds it.
 *
 * In the image the linker comes to its own absolute path, and each library into the first of the linker's default
 * directories, under the name by which it is needed: found without cache, configuration or RUNPATH.
 *
 * @param extra libraries that the program opens itself (dlopen), named as in that call
 * @throws EXECUTABLE_INVALID, LIBRARY_MISSING
 */
export async function sharedLibraries(
  executable: string,
  files: HostFiles,
  extra: readonly string[] = [],
  bounds: Limits = limits,
): Promise<SharedLibraries> {
  const real = await files.realFile(executable)
  if (real === undefined) throw failure('IMAGE_FILE_UNSUITABLE', `there is no file ${executable}`)
  const elf = await readAt(files, real, bounds)
  if (elf.interpreter === undefined) {
    if (elf.needed.length + extra.length > 0) {
      throw failure('EXECUTABLE_INVALID', `${executable} needs libraries, but names no dynamic linker`)
    }
    return { elf, files: [] }
  }
  const search = await Search.begin(files, elf, elf.interpreter, executable, bounds)
  return { elf, files: await search.run({ name: executable, path: real, real, elf }, extra) }
}

class Search {
  readonly #files: HostFiles
  readonly #bounds: Limits
  readonly #machine: Machine | undefined
  readonly #linker: LoadedFile & { readonly soname: string }
  readonly #configured: readonly string[]
  readonly #defaults: readonly string[]

  private constructor(
    files: HostFiles,
    bounds: Limits,
    machine: Machine | undefined,
    linker: LoadedFile & { readonly soname: string },
    configured: readonly string[],
    defaults: readonly string[],
  ) {
    this.#files = files
    this.#bounds = bounds
    this.#machine = machine
    this.#linker = linker
    this.#configured = configured
    this.#defaults = defaults
  }

  static async begin(files: HostFiles, elf: Elf, interpreter: string, executable: string, bounds: Limits) {
    const from = await files.realFile(interpreter)
    if (from === undefined) throw missing(interpreter, executable)
    const { soname = basename(interpreter) } = await readAt(files, from, bounds)
    const machine = machineOf(elf)
    const bytes = await files.read(from, bounds.linkerBytes)
    const defaults = defaultDirectories(bytes ?? new Uint8Array(0), machine)
    const configured = await configuredDirectories(files, bounds)
    return new Search(files, bounds, machine, { from, to: interpreter, soname }, configured, defaults)
  }

  async run(executable: Loaded, extra: readonly string[]): Promise<readonly LoadedFile[]> {
    const byName = new Map<string, LoadedFile>()
    const byFile = new Set<string>([this.#linker.from])
    const queue: Loaded[] = [executable]
    let wanted = [...executable.elf.needed, ...extra]
    for (let loader = queue.shift(); loader; loader = queue.shift()) {
      if (loader !== executable) wanted = [...loader.elf.needed]
      for (const name of wanted) {
        // The linker is loaded already where its own name is needed, as libc does.
        if (byName.has(name) || name === this.#linker.soname) continue
        if (byName.size >= this.#bounds.sharedLibraries) {
          throw failure('EXECUTABLE_INVALID', `${executable.name} reaches more libraries than the limit`)
        }
        const found = await this.#find(name, loader)
        if (!found) throw missing(name, loader.name)
        byName.set(name, { from: found.real, to: this.#place(name) })
        if (!byFile.has(found.real)) queue.push(found)
        byFile.add(found.real)
      }
    }
    const libraries = [...byName.values()].filter(({ from }) => from !== this.#linker.from)
    return [{ from: this.#linker.from, to: this.#linker.to }, ...libraries]
  }

  #place(name: string): string {
    return name.includes('/') ? name : join(this.#defaults[0]!, name)
  }

  async #find(name: string, loader: Loaded): Promise<Loaded | undefined> {
    if (name.includes('/')) {
      // A relative path would be looked for in the directory that the program is started in.
      if (!name.startsWith('/'))
        throw failure('EXECUTABLE_INVALID', `${loader.name} needs the relative path ${name}`)
      return this.#load(name, name, loader)
    }
    for (const directory of this.#directories(loader)) {
      const found = await this.#load(name, join(directory, name), loader)
      if (found) return found
    }
    return undefined
  }

  async #load(name: string, path: string, loader: Loaded): Promise<Loaded | undefined> {
    const real = await this.#files.realFile(path)
    if (real === undefined) return undefined
    try {
      const elf = await readAt(this.#files, real, this.#bounds)
      return sameMachine(elf, loader.elf) ? { name, path, real, elf, loader } : undefined
    } catch (error) {
      // A linker script or an empty file is passed over as well.
      if (isFailure(error, 'EXECUTABLE_INVALID')) return undefined
      throw error
    }
  }

  *#directories(loader: Loaded): Generator<string> {
    if (loader.elf.runpath === undefined) {
      for (let at: Loaded | undefined = loader; at; at = at.loader) yield* this.#expand(at.elf.rpath, at)
    }
    yield* this.#expand(loader.elf.runpath, loader)
    if (loader.elf.noDefaultLibraries) return
    yield* this.#configured
    yield* this.#defaults
  }

  /** ld.so(8), Dynamic string tokens. An empty element would be the current directory: passed over. */
  *#expand(paths: string | undefined, { path }: Loaded): Generator<string> {
    for (const element of (paths ?? '').split(':')) {
      const libs = /\$(\{LIB\}|LIB\b)/.test(element) ? this.#libs() : ['']
      for (const lib of libs) {
        const expanded = element
          .replaceAll(/\$(\{ORIGIN\}|ORIGIN\b)/g, () => dirname(path))
          .replaceAll(/\$(\{PLATFORM\}|PLATFORM\b)/g, () => this.#machine?.platform ?? '')
          .replaceAll(/\$(\{LIB\}|LIB\b)/g, () => lib)
        if (expanded.startsWith('/')) yield expanded
      }
    }
  }

  #libs(): readonly string[] {
    return [...new Set(this.#defaults.map((directory) => directory.replace(/^\/(usr\/)?/, '')))]
  }
}

async function readAt(files: HostFiles, path: string, bounds: Limits): Promise<Elf> {
  await using file = await files.open(path)
  try {
    return await readElf(file, bounds)
  } catch (cause) {
    if (!isFailure(cause, 'EXECUTABLE_INVALID')) throw cause
    throw failure('EXECUTABLE_INVALID', `${path}: ${cause.message}`, { cause })
  }
}

function missing(name: string, needer: string) {
  return failure('LIBRARY_MISSING', `${needer} needs ${name}, which is not on this machine`, {
    detail: { library: name, neededBy: needer },
  })
}
