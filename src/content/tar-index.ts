import { type Limits, limits, type OpenFile } from '#base/index.ts'
import { failure } from './codes.ts'
import {
  parsePaxRecords,
  parseTarHeader,
  type TarHeader,
  type TarMetaKind,
  type TarRefusal,
  tarBlockBytes,
  tarText,
} from './tar-header.ts'
import { linkTarget, tarPath } from './tar-path.ts'
import type { CallOptions } from './types.ts'

/** One file in a tar: where its content lies in it. */
export interface TarFile {
  readonly path: string
  readonly offset: number
  readonly size: number
}

/** What stands at one path. `target` is the path that a symbolic or hard link leads to, from the archive's root. */
type Entry = TarFile | { readonly path: string; readonly target: string } | 'directory'

export type TarIndexLimits = Pick<
  Limits,
  'archiveMembers' | 'tarHeaderBytes' | 'pathBytes' | 'linkHops' | 'tarTrailerBytes'
>

const refuse: TarRefusal = (_kind, why, cause) => failure('ARCHIVE_INVALID', why, { cause })
const hostile = (why: string) => failure('ARCHIVE_HOSTILE', why)

/** As much as is read at a time where headers are: small members come along with their neighbours' headers. */
const windowBytes = 16 * 1024

/**
 * Where the members of an uncompressed tar file are, found in one pass over the headers; contents are skipped.
 * Whatever two readers could understand differently is refused, as in the reader of layers.
 */
export class TarIndex {
  readonly #entries: ReadonlyMap<string, Entry>
  readonly #bounds: TarIndexLimits

  private constructor(entries: ReadonlyMap<string, Entry>, bounds: TarIndexLimits) {
    this.#entries = entries
    this.#bounds = bounds
  }

  /**
   * @throws ARCHIVE_INVALID (no tar, cut off, wrong checksums, sparse members), ARCHIVE_HOSTILE (escaping paths, links
   * out, devices, duplicates, something after the end, or over a limit), FILE_SYSTEM
   */
  static async read(
    file: Pick<OpenFile, 'read' | 'size'>,
    bounds: TarIndexLimits = limits,
    options: CallOptions = {},
  ): Promise<TarIndex> {
    const entries = await new Scan(new Window(file, await file.size()), bounds).run(options.signal)
    assertParentsAreDirectories(entries)
    return new TarIndex(entries, bounds)
  }

  /** The paths of all files and links, in the order of the archive. */
  *paths(): Generator<string> {
    for (const [path, entry] of this.#entries) if (entry !== 'directory') yield path
  }

  /** A regular file, links not followed; undefined where there is none. */
  file(path: string): TarFile | undefined {
    const entry = this.#entries.get(path)
    return entry !== undefined && entry !== 'directory' && 'offset' in entry ? entry : undefined
  }

  /** The file that a path leads to in the end; undefined where it leads nowhere. @throws ARCHIVE_HOSTILE */
  follow(path: string): TarFile | undefined {
    let at = path
    for (let hops = 0; ; hops++) {
      const entry = this.#entries.get(at)
      if (entry === undefined || entry === 'directory') return undefined
      if ('offset' in entry) return entry
      if (hops >= this.#bounds.linkHops) throw hostile(`${shown(path)} leads through too many links`)
      at = entry.target
    }
  }
}

/** The pass over the headers. */
class Scan {
  readonly #window: Window
  readonly #bounds: TarIndexLimits
  readonly #entries = new Map<string, Entry>()
  #meta = new Map<TarMetaKind, Uint8Array>()

  constructor(window: Window, bounds: TarIndexLimits) {
    this.#window = window
    this.#bounds = bounds
  }

  async run(signal?: AbortSignal): Promise<ReadonlyMap<string, Entry>> {
    for (let at = 0, members = 0; ; members++) {
      signal?.throwIfAborted()
      const block = await this.#window.bytes(at, tarBlockBytes)
      if (isZero(block)) {
        if (this.#meta.size > 0) throw refuse('invalid', 'the tar ends after an extended header')
        await this.#window.assertZeroFrom(at, this.#bounds.tarTrailerBytes)
        return this.#entries
      }
      if (members >= this.#bounds.archiveMembers) {
        throw hostile(`there are more than ${this.#bounds.archiveMembers} members`)
      }
      const header = parseTarHeader(block, refuse)
      at = await this.#member(header, at + tarBlockBytes)
    }
  }

  /** Takes in the member whose content begins at `offset`; returns where the next header is. */
  async #member(header: TarHeader, offset: number): Promise<number> {
    if (isMeta(header.kind)) {
      await this.#extend(header.kind, offset, header.sizeBytes)
      return paddedEnd(offset, header.sizeBytes)
    }
    const { name, linkName, size } = this.#describe(header)
    this.#meta = new Map()
    if (size > 0 && header.kind !== 'file') {
      throw refuse('invalid', `${shown(name)} has content, but is no file`)
    }
    if (offset + size > this.#window.sizeBytes) throw cutOff()
    this.#enter(name, linkName, { header, offset, size })
    return paddedEnd(offset, size)
  }

  async #extend(kind: TarMetaKind, offset: number, size: number): Promise<void> {
    if (size > this.#bounds.tarHeaderBytes) throw hostile(`an extended header has ${size} bytes`)
    if (kind !== 'pax-global' && this.#meta.has(kind)) {
      throw hostile('a member has two extended headers of one kind')
    }
    // A copy: the window moves on.
    const bytes = Uint8Array.from(await this.#window.bytes(offset, size))
    if (kind === 'pax-global') parsePaxRecords(bytes, refuse)
    else this.#meta.set(kind, bytes)
  }

  /** Header and extended headers together. */
  #describe(header: TarHeader): { name: string; linkName: string; size: number } {
    const pax = parsePaxRecords(this.#meta.get('pax') ?? new Uint8Array(0), refuse)
    for (const key of pax.keys()) {
      if (key.startsWith('GNU.sparse.')) throw refuse('unsupported', 'there is a sparse file')
    }
    const text = (key: string, gnu: TarMetaKind, plain: Uint8Array): string => {
      const long = this.#meta.get(gnu)
      if (long && pax.has(key)) throw hostile('a member has two long names')
      return pax.get(key) || tarText(long ? untilZero(long) : plain, refuse)
    }
    const name = text('path', 'gnu-name', header.name)
    const linkName = text('linkpath', 'gnu-link', header.linkName)
    return { name, linkName, size: decimal(pax.get('size')) ?? header.sizeBytes }
  }

  #enter(name: string, linkName: string, at: { header: TarHeader; offset: number; size: number }): void {
    const { pathBytes } = this.#bounds
    const path = tarPath(name, pathBytes)
    const { kind } = at.header
    if (kind === 'device' || kind === 'fifo') throw hostile(`${shown(name)} is a device`)
    if (kind === 'directory') {
      // Told twice, a directory is the same; anything else at its path is a second thing of one name.
      if (path !== '' && (this.#entries.get(path) ?? 'directory') !== 'directory') throw duplicate(path)
      if (path !== '') this.#entries.set(path, 'directory')
      return
    }
    if (path === '') throw refuse('invalid', 'there is a file without a name')
    if (this.#entries.has(path)) throw duplicate(path)
    if (kind === 'file') this.#entries.set(path, { path, offset: at.offset, size: at.size })
    else this.#entries.set(path, { path, target: linkTarget(path, linkName, kind === 'symlink', pathBytes) })
  }
}

/** A file or link must not also be the folder of another member: one tool would write through it. */
function assertParentsAreDirectories(entries: ReadonlyMap<string, Entry>): void {
  const seen = new Set<string>()
  for (const path of entries.keys()) {
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const parent = path.slice(0, end)
      if (seen.has(parent)) break
      seen.add(parent)
      if ((entries.get(parent) ?? 'directory') !== 'directory') {
        throw hostile(`${shown(path)} lies below ${shown(parent)}, which is no directory`)
      }
    }
  }
}

/** A part of the file in memory; moves on as later positions are asked for. */
class Window {
  readonly #file: Pick<OpenFile, 'read'>
  readonly sizeBytes: number
  readonly #buffer = new Uint8Array(windowBytes)
  #start = 0
  #filled = 0

  constructor(file: Pick<OpenFile, 'read'>, sizeBytes: number) {
    this.#file = file
    this.sizeBytes = sizeBytes
  }

  /** The bytes from `at` on, valid until the next call. @throws ARCHIVE_INVALID where the file is shorter */
  async bytes(at: number, length: number): Promise<Uint8Array> {
    if (at + length > this.sizeBytes) throw cutOff()
    if (length > windowBytes) return this.#fill(new Uint8Array(length), at, length)
    if (at < this.#start || at + length > this.#start + this.#filled) {
      this.#start = at
      this.#filled = Math.min(windowBytes, this.sizeBytes - at)
      await this.#fill(this.#buffer, at, this.#filled)
    }
    return this.#buffer.subarray(at - this.#start, at - this.#start + length)
  }

  /** After the end only padding may come: one reader's padding is another's next member. */
  async assertZeroFrom(at: number, maxBytes: number): Promise<void> {
    if (this.sizeBytes - at > maxBytes) throw hostile(`more than ${maxBytes} bytes come after the end`)
    for (let position = at; position < this.sizeBytes; position += windowBytes) {
      const length = Math.min(windowBytes, this.sizeBytes - position)
      if (!isZero(await this.bytes(position, length))) throw hostile('something comes after the end')
    }
  }

  async #fill(into: Uint8Array, at: number, length: number): Promise<Uint8Array> {
    for (let filled = 0; filled < length; ) {
      const count = await this.#file.read(into.subarray(filled, length), at + filled)
      if (count === 0) throw cutOff()
      filled += count
    }
    return into
  }
}

function decimal(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw refuse('invalid', 'an extended header has no valid size')
  }
  return value
}

const isMeta = (kind: TarHeader['kind']): kind is TarMetaKind =>
  kind.startsWith('pax') || kind.startsWith('gnu')
const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0)
const paddedEnd = (offset: number, size: number): number =>
  Math.ceil((offset + size) / tarBlockBytes) * tarBlockBytes
const untilZero = (bytes: Uint8Array): Uint8Array => {
  const end = bytes.indexOf(0)
  return end < 0 ? bytes : bytes.subarray(0, end)
}
const shown = (name: string): string => JSON.stringify(name.slice(0, 100))
const duplicate = (path: string) => hostile(`there are two members ${shown(path)}`)
const cutOff = () => refuse('invalid', 'the file ends in the middle of a tar: it is cut off, or no tar')
