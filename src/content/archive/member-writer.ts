import { crc32 } from 'node:zlib'
import type { OpenFile } from '#base/index.ts'
import type { Descriptor } from '#oci/index.ts'
import { Check } from '../readers.ts'
import type { ByteReader, OpenAt } from '../types.ts'
import { blockStart, type ChunkPool, headRoom, restoreHeaders } from './chunk-pool.ts'
import {
  blockBytes,
  blockHeader,
  blockHeaderBytes,
  chunkContentBytes,
  chunkStoredBytes,
  memberHead,
  memberTail,
  type Place,
  storedBytes,
} from './format.ts'
import { StoredReader } from './stored-reader.ts'

/** Told after each chunk is in the file: so many content bytes of this member, from its start. */
export type OnWritten = (contentBytes: number) => Promise<void>

/**
 * Writes one member into its place: bytes come from the reader straight into a chunk with the block headers in
 * place already, are hashed there, and go to the file in one write per chunk, while the next chunk fills.
 *
 * @param done content bytes that are in the file from an earlier run; they are hashed from there
 * @throws DIGEST_MISMATCH, SIZE_MISMATCH: then the member's place holds bytes that nothing may point at
 */
export async function writeMember(
  file: OpenFile,
  place: Place,
  content: Descriptor,
  from: OpenAt,
  pool: ChunkPool,
  done: number,
  onWritten: OnWritten,
): Promise<void> {
  const start = done - (done % chunkContentBytes)
  const member = new MemberWriter(file, place, content, pool)
  await member.rehash(start)
  const reader = await from(start)
  try {
    await member.write(reader, start, onWritten)
  } finally {
    await reader.close()
  }
}

class MemberWriter {
  readonly #file: OpenFile
  readonly #place: Place
  readonly #pool: ChunkPool
  readonly #check: Check
  readonly #head: Uint8Array
  #crc: number

  constructor(file: OpenFile, place: Place, content: Descriptor, pool: ChunkPool) {
    this.#file = file
    this.#place = place
    this.#pool = pool
    this.#check = new Check(content)
    const head = memberHead(place.path, place.size)
    this.#head = head.bytes
    this.#crc = head.crc
  }

  /** Feeds what an earlier run wrote into the digest, from the file itself. */
  async rehash(contentBytes: number): Promise<void> {
    const buffer = Buffer.allocUnsafe(contentBytes > 0 ? 1024 * 1024 : 0)
    const reader = new StoredReader(this.#file, this.#place.contentOffset, 0, contentBytes)
    for (let left = contentBytes; left > 0; ) {
      const count = await reader.read(buffer)
      if (count === 0) return
      this.#pass(buffer.subarray(0, count))
      left -= count
    }
  }

  async write(reader: ByteReader, start: number, onWritten: OnWritten): Promise<void> {
    let pending: Promise<void> = Promise.resolve()
    try {
      for (let at = start, last = false; !last; ) {
        const chunk = this.#pool.take()
        const filled = await this.#fill(reader, chunk, Math.min(chunkContentBytes, this.#place.size - at))
        last = at + filled === this.#place.size
        // The end is seen, and the digest checked, before the last bytes get their trailer.
        if (last) await this.#end(reader)
        const bytes = this.#frame(chunk, filled, at === 0, last)
        const position = at === 0 ? this.#place.memberOffset : this.#chunkPosition(at)
        at += filled
        const reached = at
        await pending
        pending = this.#put(chunk, bytes, position).then(() => onWritten(reached))
      }
    } finally {
      // What came before a fault is kept and told of, so that the next attempt begins after it.
      await pending
    }
  }

  #chunkPosition(at: number): number {
    return this.#place.contentOffset + (at / chunkContentBytes) * chunkStoredBytes
  }

  async #put(chunk: Buffer, bytes: Uint8Array, position: number): Promise<void> {
    await this.#file.write(bytes, position)
    restoreHeaders(chunk)
    this.#pool.give(chunk)
  }

  /** Fills the chunk's blocks with exactly `wanted` bytes. */
  async #fill(reader: ByteReader, chunk: Buffer, wanted: number): Promise<number> {
    let filled = 0
    for (let block = 0; filled < wanted; block++) {
      const start = blockStart(block)
      const blockSize = Math.min(blockBytes, wanted - filled)
      for (let inBlock = 0; inBlock < blockSize; ) {
        const room = chunk.subarray(start + inBlock, start + blockSize)
        const count = await reader.read(room)
        if (count === 0) this.#check.finish()
        this.#pass(room.subarray(0, count))
        inBlock += count
      }
      if (blockSize < blockBytes) chunk.set(blockHeader(blockSize), start - blockHeaderBytes)
      filled += blockSize
    }
    return filled
  }

  async #end(reader: ByteReader): Promise<void> {
    const surplus = Buffer.allocUnsafe(1)
    this.#check.update(surplus.subarray(0, await reader.read(surplus)))
    this.#check.finish()
  }

  #frame(chunk: Buffer, filled: number, first: boolean, last: boolean): Uint8Array {
    let start = headRoom
    if (first) {
      start -= this.#head.length
      chunk.set(this.#head, start)
    }
    let end = headRoom + storedBytes(filled)
    if (last) {
      const tail = memberTail(this.#place.path, this.#place.size, this.#crc)
      chunk.set(tail, end)
      end += tail.length
    }
    return chunk.subarray(start, end)
  }

  #pass(bytes: Uint8Array): void {
    this.#check.update(bytes)
    this.#crc = crc32(bytes, this.#crc)
  }
}
