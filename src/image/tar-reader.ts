import { type Limits, limits } from '#base/index.ts'
import {
  tarBlockBytes as blockBytes,
  type TarHeader,
  type TarKind,
  type TarMetaKind,
} from '#content/index.ts'
import { failure } from './codes.ts'
import { invalid, parsePaxRecords, parseTarHeader, tarText } from './tar-header.ts'

/** One member of a layer's archive. */
export interface TarMember {
  readonly name: string
  readonly kind: TarKind
  readonly linkName: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly sizeBytes: number
  readonly mtimeSeconds: number
  /** Whether it has extended attributes. */
  readonly attributes: boolean
  /** The content, once, before the next member is asked for. The buffers belong to whoever made the archive. */
  readonly body: AsyncIterable<Uint8Array>
}

export type TarLimits = Pick<Limits, 'archiveMembers' | 'tarHeaderBytes' | 'pathBytes'>

/**
 * Reads a tar archive as it streams by. Stricter than tar-stream, which packs our own layers: whatever two
 * readers could understand differently is refused, for what a scanner has seen must be what runs. Refused are
 * members after the end, links and directories with content, two extended headers for one member; global headers
 * have no effect, as with Go's archive/tar.
 *
 * @throws LAYER_INVALID, LAYER_HOSTILE, LAYER_UNSUPPORTED (sparse files), LAYER_TOO_LARGE
 */
export async function* tarMembers(
  chunks: AsyncIterable<Uint8Array>,
  bounds: TarLimits = limits,
): AsyncGenerator<TarMember> {
  const cursor = new Cursor(chunks)
  try {
    let meta = new Map<TarMetaKind, Uint8Array>()
    for (let count = 1; ; count++) {
      const block = await cursor.block()
      if (!block || isZero(block)) {
        if (meta.size > 0) throw invalid('the archive ends after an extended header')
        if (block) await expectEnd(cursor)
        return
      }
      if (count > bounds.archiveMembers) {
        throw failure('LAYER_TOO_LARGE', `a layer has more than ${bounds.archiveMembers} members`)
      }
      const header = parseTarHeader(block)
      if (isMeta(header.kind)) {
        if (header.sizeBytes > bounds.tarHeaderBytes) {
          throw failure('LAYER_TOO_LARGE', `an extended header has ${header.sizeBytes} bytes`)
        }
        if (meta.has(header.kind)) throw invalid('a member has two extended headers of one kind')
        const bytes = await cursor.bytes(header.sizeBytes)
        await cursor.skip(paddingOf(header.sizeBytes))
        if (header.kind === 'pax-global') parsePaxRecords(bytes)
        else meta.set(header.kind, bytes)
        continue
      }
      const member = describe(header, meta, bounds)
      meta = new Map()
      const body = new Body(cursor, member.sizeBytes)
      yield { ...member, body }
      await cursor.skip(body.leftBytes + paddingOf(member.sizeBytes))
    }
  } finally {
    await cursor.close()
  }
}

function describe(
  header: TarHeader,
  meta: ReadonlyMap<TarMetaKind, Uint8Array>,
  bounds: TarLimits,
): Omit<TarMember, 'body'> {
  const pax = parsePaxRecords(meta.get('pax') ?? new Uint8Array(0))
  const gnuName = meta.get('gnu-name')
  const gnuLink = meta.get('gnu-link')
  if ((gnuName && pax.has('path')) || (gnuLink && pax.has('linkpath'))) {
    throw invalid('a member has two long names')
  }
  for (const key of pax.keys()) {
    if (key.startsWith('GNU.sparse.')) throw failure('LAYER_UNSUPPORTED', 'a layer has a sparse file')
  }
  const name = pax.get('path') || tarText(gnuName ? untilZero(gnuName) : header.name)
  const linkName = pax.get('linkpath') || tarText(gnuLink ? untilZero(gnuLink) : header.linkName)
  for (const text of [name, linkName]) {
    if (text.includes('\0')) throw failure('LAYER_HOSTILE', 'a name in a layer holds a NUL')
    if (Buffer.byteLength(text) > bounds.pathBytes) {
      throw failure('LAYER_TOO_LARGE', `a path in a layer is longer than ${bounds.pathBytes} bytes`)
    }
  }
  const sizeBytes = decimal(pax, 'size') ?? header.sizeBytes
  if (sizeBytes > 0 && header.kind !== 'file') throw invalid(`${shown(name)} has content, but is no file`)
  return {
    name,
    linkName,
    kind: header.kind as TarKind,
    mode: header.mode,
    uid: owner(decimal(pax, 'uid') ?? header.uid),
    gid: owner(decimal(pax, 'gid') ?? header.gid),
    sizeBytes,
    mtimeSeconds: time(pax.get('mtime'), header.mtimeSeconds),
    attributes: [...pax.keys()].some((key) => key.startsWith('SCHILY.xattr.')),
  }
}

function decimal(pax: ReadonlyMap<string, string>, key: string): number | undefined {
  const text = pax.get(key)
  if (text === undefined || text === '') return undefined
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw invalid(`an extended header has no valid ${key}`)
  return value
}

function owner(id: number): number {
  // 2^32 - 1 means "leave it" to chown.
  if (id < 0 || id >= 2 ** 32 - 1) throw invalid(`${id} is not a user or group id`)
  return id
}

/** Within what file systems hold: a wild time is no reason to refuse a file, nor to set it. */
function time(pax: string | undefined, header: number): number {
  const seconds = pax !== undefined && /^-?\d{1,15}(\.\d*)?$/.test(pax) ? Number(pax) : header
  return Math.min(Math.max(seconds, 0), 0x3_7fff_ffff)
}

class Body implements AsyncIterable<Uint8Array> {
  readonly #cursor: Cursor
  leftBytes: number
  constructor(cursor: Cursor, sizeBytes: number) {
    this.#cursor = cursor
    this.leftBytes = sizeBytes
  }
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    while (this.leftBytes > 0) {
      const part = await this.#cursor.take(this.leftBytes)
      this.leftBytes -= part.length
      yield part
    }
  }
}

/** The archive's bytes, handed out in the portions that are asked for. */
class Cursor {
  readonly #iterator: AsyncIterator<Uint8Array>
  #rest: Uint8Array = new Uint8Array(0)
  readonly #block = new Uint8Array(blockBytes)
  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#iterator = chunks[Symbol.asyncIterator]()
  }

  /** Whatever is there of the next `maxBytes`, at least one byte, without copying. @throws LAYER_INVALID */
  async take(maxBytes: number): Promise<Uint8Array> {
    if (!(await this.#fill())) throw invalid('the archive is cut off')
    const part = this.#rest.subarray(0, maxBytes)
    this.#rest = this.#rest.subarray(part.length)
    return part
  }

  /** The next block, in a buffer that is used again; `undefined` where the archive ends. */
  async block(): Promise<Uint8Array | undefined> {
    if (!(await this.#fill())) return undefined
    await this.#into(this.#block)
    return this.#block
  }

  async bytes(length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length)
    await this.#into(bytes)
    return bytes
  }

  async skip(sizeBytes: number): Promise<void> {
    for (let left = sizeBytes; left > 0; ) left -= (await this.take(left)).length
  }

  async close(): Promise<void> {
    await this.#iterator.return?.()
  }

  async #into(bytes: Uint8Array): Promise<void> {
    for (let filled = 0; filled < bytes.length; ) {
      const part = await this.take(bytes.length - filled)
      bytes.set(part, filled)
      filled += part.length
    }
  }

  async #fill(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const next = await this.#iterator.next()
      if (next.done) return false
      this.#rest = next.value
    }
    return true
  }
}

/** After the first empty block only more of them may come: one reader's padding is another's next member. */
async function expectEnd(cursor: Cursor): Promise<void> {
  for (let block = await cursor.block(); block; block = await cursor.block()) {
    if (!isZero(block)) throw failure('LAYER_HOSTILE', 'a layer has something after its end')
  }
}

const isMeta = (kind: TarKind | TarMetaKind): kind is TarMetaKind =>
  kind.startsWith('pax') || kind.startsWith('gnu')
const paddingOf = (sizeBytes: number): number => (blockBytes - (sizeBytes % blockBytes)) % blockBytes
const isZero = (block: Uint8Array): boolean => block.every((byte) => byte === 0)
const untilZero = (bytes: Uint8Array): Uint8Array => {
  const end = bytes.indexOf(0)
  return end < 0 ? bytes : bytes.subarray(0, end)
}
const shown = (name: string): string => JSON.stringify(name.slice(0, 100))
