/**
 * The bytes of Sealift's archive (docs/archive-format.md): a tar in which every member is a gzip member of its own
 * with stored deflate blocks (RFC 1951 section 3.2.4), so that each byte of each content has a place that can be
 * told from its size alone.
 */
import { crc32 } from 'node:zlib'
import { type Digest, digestHex, parseDigest } from '#oci/index.ts'
import { tarHeader, tarHeaderBytes } from './tar-header.ts'

/** Bytes in one stored block at most: its length field has 16 bits. */
export const blockBytes = 65_535
/** BFINAL and BTYPE in one byte (the rest is padding to the byte), LEN, NLEN. */
export const blockHeaderBytes = 5
/** Blocks that are written, and taken up again, together. */
export const chunkBlocks = 8
export const chunkContentBytes = chunkBlocks * blockBytes
export const chunkStoredBytes = chunkBlocks * (blockBytes + blockHeaderBytes)

const gzipHeaderBytes = 10
const gzipTrailerBytes = 8
const tarBlockBytes = 512

export const formatVersion = 1
export const indexPath = 'artifacts/sealift/index.json'
export const layoutPath = 'artifacts/layout'
export const bundlePath = 'bundle.json'

export const blobPath = (digest: Digest): string =>
  `${layoutPath}/blobs/${digest.slice(0, digest.indexOf(':'))}/${digestHex(digest)}`

/** Where one member lies. All in bytes of the file. */
export interface Place {
  readonly path: string
  readonly size: number
  /** Where the gzip member begins. */
  readonly memberOffset: number
  /** Where the header of the first block of content is; content byte i is at `positionOf(contentOffset, i)`. */
  readonly contentOffset: number
  /** Where the next member begins. */
  readonly end: number
}

/** Lays one member at `memberOffset`. `extraBytes`: length of its gzip extra field, 0 for none. */
export function placeMember(path: string, size: number, memberOffset: number, extraBytes = 0): Place {
  const header = gzipHeaderBytes + (extraBytes > 0 ? 2 + extraBytes : 0)
  const contentOffset = memberOffset + header + blockHeaderBytes + tarHeaderBytes(path, size)
  const end = contentOffset + storedBytes(size) + blockHeaderBytes + paddingBytes(size) + gzipTrailerBytes
  return { path, size, memberOffset, contentOffset, end }
}

/** Bytes in the file of `size` bytes of content, block headers included. */
export const storedBytes = (size: number): number => size + blockHeaderBytes * Math.ceil(size / blockBytes)

/** Where byte `at` of a content lies whose first block header is at `contentOffset`. */
export const positionOf = (contentOffset: number, at: number): number =>
  contentOffset + at + blockHeaderBytes * (Math.floor(at / blockBytes) + 1)

export const paddingBytes = (size: number): number => (tarBlockBytes - (size % tarBlockBytes)) % tarBlockBytes

/** RFC 1952 section 2.3: no name, no time, operating system unknown; FEXTRA where there is an extra field. */
function gzipHeader(extra: Uint8Array): Uint8Array {
  const header = Buffer.alloc(gzipHeaderBytes + (extra.length > 0 ? 2 + extra.length : 0))
  header.set([0x1f, 0x8b, 8, extra.length > 0 ? 4 : 0, 0, 0, 0, 0, 0, 255])
  if (extra.length > 0) {
    header.writeUInt16LE(extra.length, gzipHeaderBytes)
    header.set(extra, gzipHeaderBytes + 2)
  }
  return header
}

/** The five bytes before a stored block of `length` bytes. */
export function blockHeader(length: number, final = false): Uint8Array {
  return Uint8Array.of(final ? 1 : 0, length & 0xff, length >> 8, ~length & 0xff, (~length >> 8) & 0xff)
}

/** All that comes before a member's content; `crc` is that of what it holds uncompressed. */
export function memberHead(
  path: string,
  size: number,
  extra: Uint8Array = new Uint8Array(0),
): { bytes: Uint8Array; crc: number } {
  const header = tarHeader(path, size)
  return { bytes: Buffer.concat([gzipHeader(extra), blockHeader(header.length), header]), crc: crc32(header) }
}

/** All that comes after a member's content; `crc` is that of the tar header and the content. */
export function memberTail(path: string, size: number, crc: number): Uint8Array {
  const padding = Buffer.alloc(paddingBytes(size))
  const trailer = Buffer.alloc(gzipTrailerBytes)
  trailer.writeUInt32LE(crc32(padding, crc), 0)
  trailer.writeUInt32LE((tarHeaderBytes(path, size) + size + padding.length) % 2 ** 32, 4)
  return Buffer.concat([blockHeader(padding.length, true), padding, trailer])
}

/** A whole small member in memory. */
export function wholeMember(
  path: string,
  content: Uint8Array,
  extra: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const head = memberHead(path, content.length, extra)
  const parts: Uint8Array[] = [head.bytes]
  for (let at = 0; at < content.length; at += blockBytes) {
    const block = content.subarray(at, at + blockBytes)
    parts.push(blockHeader(block.length), block)
  }
  parts.push(memberTail(path, content.length, crc32(content, head.crc)))
  return Buffer.concat(parts)
}

/** What the first member of a generation and its last one say in their gzip extra field, subfield "SL". */
export interface Pointer {
  readonly kind: 'head' | 'tail'
  /** 0 for the archive as packed, one more for each index appended. */
  readonly generation: number
  /** Where the gzip member of the index begins, and where its content does. */
  readonly indexMemberOffset: number
  readonly indexContentOffset: number
  readonly indexSizeBytes: number
  /** The archive's length in bytes, up to and with this generation's last member. */
  readonly archiveSizeBytes: number
  /** sha256 of the index. */
  readonly indexDigest: Digest
}

const pointerBodyBytes = 72
export const pointerBytes = 4 + pointerBodyBytes
const subfield = [0x53, 0x4c] // "SL"

export function encodePointer(pointer: Pointer): Uint8Array {
  const bytes = Buffer.alloc(pointerBytes)
  bytes.set(subfield)
  bytes.writeUInt16LE(pointerBodyBytes, 2)
  bytes.writeUInt8(formatVersion, 4)
  bytes.writeUInt8(pointer.kind === 'head' ? 0 : 1, 5)
  bytes.writeUInt32LE(pointer.generation, 8)
  bytes.writeBigUInt64LE(BigInt(pointer.indexMemberOffset), 12)
  bytes.writeBigUInt64LE(BigInt(pointer.indexContentOffset), 20)
  bytes.writeBigUInt64LE(BigInt(pointer.indexSizeBytes), 28)
  bytes.writeBigUInt64LE(BigInt(pointer.archiveSizeBytes), 36)
  bytes.set(Buffer.from(digestHex(pointer.indexDigest), 'hex'), 44)
  return bytes
}

/** The pointer in a gzip member's header, or undefined where the member has none that makes sense. */
export function decodePointer(member: Uint8Array): (Pointer & { version: number }) | undefined {
  const at = gzipHeaderBytes + 2
  if (member.length < at + pointerBytes) return undefined
  const bytes = Buffer.from(member.buffer, member.byteOffset, member.length)
  if (bytes.readUInt16BE(0) !== 0x1f8b || bytes[3] !== 4) return undefined
  const field = bytes.subarray(at)
  if (field[0] !== subfield[0] || field[1] !== subfield[1] || field.readUInt16LE(2) < pointerBodyBytes)
    return undefined
  const numbers = [12, 20, 28, 36].map((offset) => field.readBigUInt64LE(offset))
  if (numbers.some((value) => value > BigInt(Number.MAX_SAFE_INTEGER))) return undefined
  const [indexMemberOffset, indexContentOffset, indexSizeBytes, archiveSizeBytes] = numbers.map(Number) as [
    number,
    number,
    number,
    number,
  ]
  return {
    version: field.readUInt8(4),
    kind: field.readUInt8(5) === 0 ? 'head' : 'tail',
    generation: field.readUInt32LE(8),
    indexMemberOffset,
    indexContentOffset,
    indexSizeBytes,
    archiveSizeBytes,
    indexDigest: parseDigest(`sha256:${field.subarray(44, 76).toString('hex')}`),
  }
}

/** Length in bytes of the last member: the two zero blocks that end a tar, with a pointer. */
export const tailBytes =
  gzipHeaderBytes + 2 + pointerBytes + blockHeaderBytes + 2 * tarBlockBytes + gzipTrailerBytes

/** The last member, and the member of the same length that an appended generation puts in its place. */
export function tailMember(pointer: Pointer, superseded = false): Buffer {
  const zeros = Buffer.alloc(2 * tarBlockBytes)
  // A tar ends at two zero blocks; where more follows, an entry of one block of spaces stands there instead.
  const path = `artifacts/sealift/superseded-${pointer.generation}`
  const content = superseded
    ? Buffer.concat([tarHeader(path, tarBlockBytes), Buffer.alloc(tarBlockBytes, 0x20)])
    : zeros
  const trailer = Buffer.alloc(gzipTrailerBytes)
  trailer.writeUInt32LE(crc32(content), 0)
  trailer.writeUInt32LE(content.length, 4)
  return Buffer.concat([
    gzipHeader(encodePointer(pointer)),
    blockHeader(content.length, true),
    content,
    trailer,
  ])
}
