import type { OpenFile } from '#base/index.ts'
import type { ByteReader } from '../types.ts'
import { blockBytes, blockHeaderBytes, positionOf } from './format.ts'

/** Reads content straight out of a member's stored blocks: one read of the file fills many blocks. */
export class StoredReader implements ByteReader {
  readonly #file: Pick<OpenFile, 'read'>
  readonly #contentOffset: number
  #at: number
  readonly #end: number
  #closed = false

  /** @param contentOffset where the first block's header is; reads content bytes `offset` to `offset + length` */
  constructor(file: Pick<OpenFile, 'read'>, contentOffset: number, offset: number, length: number) {
    this.#file = file
    this.#contentOffset = contentOffset
    this.#at = offset
    this.#end = offset + length
  }

  async read(into: Uint8Array): Promise<number> {
    if (this.#closed) return 0
    const wanted = Math.min(into.length, this.#end - this.#at)
    if (wanted <= 0) return 0
    const position = positionOf(this.#contentOffset, this.#at)
    const inBlock = this.#at % blockBytes
    // As many bytes of the file as fit: content and block headers together, then the headers are closed up.
    const count = await this.#file.read(into.subarray(0, wanted), position)
    const kept = closeUp(into, count, inBlock)
    this.#at += kept
    return kept
  }

  async close(): Promise<void> {
    this.#closed = true
  }
}

/**
 * Takes the block headers out of `count` bytes that begin `inBlock` bytes into a block; returns the content bytes
 * that are left at the start. A header cut off at the end is dropped, whole or not.
 */
function closeUp(bytes: Uint8Array, count: number, inBlock: number): number {
  let read = Math.min(count, blockBytes - inBlock)
  let kept = read
  while (read < count) {
    read += blockHeaderBytes
    if (read >= count) break
    const length = Math.min(blockBytes, count - read)
    bytes.copyWithin(kept, read, read + length)
    kept += length
    read += length
  }
  return kept
}
