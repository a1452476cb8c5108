import { blockBytes, blockHeader, blockHeaderBytes, chunkBlocks, chunkStoredBytes } from './format.ts'

/** Room before and after a chunk for a member's head and tail, so that a small member is one write. */
export const headRoom = 4096
export const tailRoom = 2048

/** Reused buffers: head room, some stored blocks whose headers are in place already, tail room. */
export class ChunkPool {
  readonly #free: Buffer[] = []

  take(): Buffer {
    return this.#free.pop() ?? allocate()
  }

  give(chunk: Buffer): void {
    if (this.#free.length < 32) this.#free.push(chunk)
  }
}

function allocate(): Buffer {
  const chunk = Buffer.allocUnsafeSlow(headRoom + chunkStoredBytes + tailRoom)
  restoreHeaders(chunk)
  return chunk
}

/** The last block of a content is shorter and its header differs: put the full ones back before the next use. */
export function restoreHeaders(chunk: Buffer): void {
  const full = blockHeader(blockBytes)
  for (let block = 0; block < chunkBlocks; block++) chunk.set(full, blockStart(block) - blockHeaderBytes)
}

/** Where the content of a block begins in a chunk. */
export const blockStart = (block: number): number =>
  headRoom + block * (blockBytes + blockHeaderBytes) + blockHeaderBytes
