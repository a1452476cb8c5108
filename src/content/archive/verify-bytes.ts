import { crc32 } from 'node:zlib'
import type { OpenFile } from '#base/index.ts'
import { type Digest, Digester, digestAlgorithm } from '#oci/index.ts'
import type { CallOptions } from '../types.ts'
import type { BytesVerdict } from '../verify.ts'
import {
  blobPath,
  blockBytes,
  blockHeader,
  blockHeaderBytes,
  encodePointer,
  indexPath,
  memberHead,
  memberTail,
  type Place,
  type Pointer,
  placeMember,
  pointerBytes,
  storedBytes,
  tailBytes,
  tailMember,
} from './format.ts'
import { generationsOf } from './generations.ts'
import type { ArchiveIndex } from './index-file.ts'
import type { ArchiveReader } from './reader.ts'

/**
 * Reads the archive from its first byte to its last and compares every one with what it must be: the heads, tails
 * and block headers of the members bit by bit, the contents by digest. A flipped bit anywhere is found.
 */
export async function* verifyArchiveBytes(
  reader: ArchiveReader,
  { signal }: CallOptions = {},
): AsyncGenerator<BytesVerdict> {
  const generations = await generationsOf(reader)
  for (const [at, { head, index }] of generations.entries()) {
    const last = at === generations.length - 1
    const start = at === 0 ? 0 : (generations[at - 1]?.head.archiveSizeBytes ?? 0)
    let position = start
    for (const member of membersOf(head, index, start)) {
      signal?.throwIfAborted()
      if (member.place.memberOffset !== position) {
        yield broken(member.what, 0, `it begins at byte ${member.place.memberOffset}, not ${position}`)
      }
      const why = await checkMember(reader.file, member)
      yield why === undefined
        ? { what: member.what, sizeBytes: member.place.size }
        : broken(member.what, member.place.size, why)
      position = member.place.end
    }
    const tail: Pointer = { ...head, kind: 'tail' }
    const expected = tailMember(tail, !last)
    const actual = await readAt(reader.file, head.archiveSizeBytes - tailBytes, tailBytes)
    if (position !== head.archiveSizeBytes - tailBytes || !expected.equals(actual)) {
      yield broken(`tail ${head.generation}`, tailBytes, 'the last member is damaged')
    }
  }
  if (reader.fileSizeBytes > reader.pointer.archiveSizeBytes) {
    const surplus = reader.fileSizeBytes - reader.pointer.archiveSizeBytes
    yield {
      what: reader.path,
      sizeBytes: surplus,
      problem: {
        kind: 'extra',
        what: reader.path,
        why: `${surplus} bytes follow the archive's end (an interrupted append?)`,
      },
    }
  }
}

interface Member {
  readonly what: string
  readonly place: Place
  readonly digest: Digest
  readonly extra?: Uint8Array
}

/** The members of one generation in the order of the file. */
function membersOf(head: Pointer, index: ArchiveIndex, start: number): Member[] {
  const members: Member[] = [
    {
      what: indexPath,
      place: placeMember(indexPath, head.indexSizeBytes, head.indexMemberOffset, pointerBytes),
      digest: head.indexDigest,
      extra: encodePointer({ ...head, kind: 'head' }),
    },
  ]
  const own = <T extends { offset: number }>(entries: readonly T[]) =>
    entries.filter(({ offset }) => offset >= start)
  for (const { path, size, offset, digest } of own(index.files)) {
    members.push({ what: path, place: placeAt(path, size, offset), digest })
  }
  for (const { size, offset, digest } of own(index.blobs)) {
    members.push({ what: digest, place: placeAt(blobPath(digest), size, offset), digest })
  }
  return members.sort((a, b) => a.place.memberOffset - b.place.memberOffset)
}

/** The place of a member whose content is at `contentOffset`. */
function placeAt(path: string, size: number, contentOffset: number): Place {
  return placeMember(path, size, contentOffset - placeMember(path, size, 0).contentOffset)
}

/** Why the member is not what it must be, or undefined where it is. */
async function checkMember(file: OpenFile, { place, digest, extra }: Member): Promise<string | undefined> {
  const head = memberHead(place.path, place.size, extra)
  if (!(await equalsAt(file, place.memberOffset, head.bytes))) return 'the head of its member is damaged'
  const digester = new Digester(digestAlgorithm(digest))
  const window = Buffer.allocUnsafe(16 * (blockBytes + blockHeaderBytes))
  let crc = head.crc
  let headersAreRight = true
  for (let done = 0, at = place.contentOffset; done < place.size; ) {
    const wanted = Math.min(window.length, storedBytes(place.size - done))
    const stored = await readInto(file, at, window.subarray(0, wanted))
    if (stored.length < wanted) return 'it is cut off'
    for (let offset = 0; offset < stored.length; ) {
      const length = Math.min(blockBytes, place.size - done)
      const header = stored.subarray(offset, offset + blockHeaderBytes)
      headersAreRight &&= header.equals(blockHeader(length))
      const content = stored.subarray(offset + blockHeaderBytes, offset + blockHeaderBytes + length)
      digester.update(content)
      crc = crc32(content, crc)
      offset += blockHeaderBytes + length
      done += length
    }
    at += stored.length
  }
  if (digester.finish() !== digest) return 'its bytes do not have its digest'
  if (!headersAreRight) return 'a block header in its member is damaged'
  const tail = memberTail(place.path, place.size, crc)
  return (await equalsAt(file, place.end - tail.length, tail))
    ? undefined
    : 'the tail of its member is damaged'
}

async function equalsAt(file: OpenFile, position: number, expected: Uint8Array): Promise<boolean> {
  return (await readAt(file, position, expected.length)).equals(expected)
}

function readAt(file: OpenFile, position: number, length: number): Promise<Buffer> {
  return readInto(file, position, Buffer.allocUnsafe(length))
}

async function readInto(file: OpenFile, position: number, into: Buffer): Promise<Buffer> {
  let filled = 0
  while (filled < into.length) {
    const count = await file.read(into.subarray(filled), position + filled)
    if (count === 0) break
    filled += count
  }
  return into.subarray(0, filled)
}

const broken = (what: string, sizeBytes: number, why: string): BytesVerdict => ({
  what,
  sizeBytes,
  problem: { kind: 'damaged', what, why },
})
