import { limits } from '#base/index.ts'
import { failure } from './codes.ts'
import { parseDecimal } from './note.ts'

/** Hashes in a full tile, and entries in a full bundle (C2SP tlog-tiles). */
export const tileWidth = 256

/** One tile of hashes, or one bundle of entries, with so many of its places filled. */
export interface Tile {
  readonly level: number | 'entries'
  readonly index: number
  /** 1 to 256. */
  readonly width: number
}

/** `tile/0/x001/x234/067.p/112` (C2SP tlog-tiles, Merkle Tree). */
export function tilePath({ level, index, width }: Tile): string {
  const digits = String(index)
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0')
  const parts = padded.match(/.../g) ?? []
  const path = parts.map((part, at) => (at < parts.length - 1 ? `x${part}` : part)).join('/')
  return `tile/${level}/${path}${width < tileWidth ? `.p/${width}` : ''}`
}

/** The tile of a path; undefined where the path is none, or not in its one spelling. */
export function parseTilePath(path: string): Tile | undefined {
  const match = /^tile\/(entries|[0-9]{1,2})\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([0-9]{1,3}))?$/.exec(
    path,
  )
  if (!match) return undefined
  const level: Tile['level'] = match[1] === 'entries' ? 'entries' : Number(match[1])
  const digits = match[2]!.replaceAll(/[x/]/g, '').replace(/^0+(?=.)/, '')
  const index = parseDecimal(digits)
  const width = match[3] === undefined ? tileWidth : Number(match[3])
  if (index === undefined || (level !== 'entries' && level > 63) || width < 1) return undefined
  const tile: Tile = { level, index, width }
  return tilePath(tile) === path ? tile : undefined
}

/** How many hashes of a level a tree of this size has: the full tiles of the level below. */
export function hashesAt(level: number, size: number): number {
  return Math.floor(size / tileWidth ** level)
}

/** How many places of a tile a tree of this size fills; 0 where it has no such tile. */
export function widthOf(level: number, index: number, size: number): number {
  return Math.max(0, Math.min(tileWidth, hashesAt(level, size) - index * tileWidth))
}

/** @throws LOG_ENTRY_TOO_LARGE */
export function assertEntry(entry: Uint8Array): void {
  if (entry.length > limits.logEntryBytes) {
    throw failure(
      'LOG_ENTRY_TOO_LARGE',
      `an entry of ${entry.length} bytes is over the limit of ${limits.logEntryBytes}`,
    )
  }
}

/** Entries one after the other, each with its length in two bytes before it (C2SP tlog-tiles, Log entries). */
export function encodeBundle(entries: readonly Uint8Array[]): Uint8Array {
  const bundle = Buffer.allocUnsafe(entries.reduce((sum, { length }) => sum + 2 + length, 0))
  let at = 0
  for (const entry of entries) {
    at = bundle.writeUInt16BE(entry.length, at)
    bundle.set(entry, at)
    at += entry.length
  }
  return bundle
}

/** The first `count` entries of a bundle that may hold more. @throws LOG_TILE_INVALID */
export function decodeBundle(bundle: Uint8Array, count: number): Uint8Array[] {
  const view = new DataView(bundle.buffer, bundle.byteOffset, bundle.byteLength)
  const entries: Uint8Array[] = []
  for (let at = 0; entries.length < count; ) {
    const end = at + 2 <= bundle.length ? at + 2 + view.getUint16(at) : Number.POSITIVE_INFINITY
    if (end > bundle.length) throw failure('LOG_TILE_INVALID', 'an entry bundle is cut short')
    entries.push(bundle.subarray(at + 2, end))
    at = end
  }
  return entries
}
