import { type ByteReader, contentFailure } from '#content/index.ts'
import type { Digest } from '#oci/index.ts'
import type { BufferPool } from './buffer-pool.ts'
import type { Exchange } from './exchange.ts'
import type { Guard } from './verification.ts'

export interface Sending {
  readonly reader: ByteReader
  readonly digest: Digest
  readonly lengthBytes: number
  /** Where the bytes are not known to be good yet. */
  readonly guard?: Guard | undefined
}

/**
 * Sends `lengthBytes` from a reader as the body whose head is out. Two buffers take turns: one is filled while
 * the other is on its way to the kernel; neither is touched before its write is done. The last piece is held
 * back until the guard is content.
 *
 * @throws whatever reader and guard throw, and Gone
 */
export async function sendContent(exchange: Exchange, buffers: BufferPool, sending: Sending): Promise<void> {
  const { reader, guard } = sending
  let leftBytes = sending.lengthBytes
  let filling = buffers.take(leftBytes)
  let other: Buffer | undefined
  let writing: Promise<void> | undefined
  let clean = false
  try {
    for (;;) {
      const piece = filling.subarray(0, Math.min(filling.length, leftBytes))
      await fill(reader, piece, sending.digest)
      guard?.update(piece)
      leftBytes -= piece.length
      if (leftBytes === 0) await guard?.finish()
      await writing
      if (leftBytes === 0) {
        await exchange.end(piece)
        clean = true
        return
      }
      writing = exchange.write(piece)
      // It is awaited after the next piece is read; if that fails first, nobody else would hear of it.
      writing.catch(() => undefined)
      const next: Buffer = other ?? buffers.take(leftBytes)
      other = filling
      filling = next
    }
  } finally {
    for (const buffer of [filling, other]) {
      if (buffer && clean) buffers.give(buffer)
      else if (buffer) buffers.lose(buffer)
    }
  }
}

/** Fills the whole of `piece`: content that ends early is damaged content. @throws SIZE_MISMATCH */
async function fill(reader: ByteReader, piece: Uint8Array, digest: Digest): Promise<void> {
  for (let filled = 0; filled < piece.length; ) {
    const count = await reader.read(filled === 0 ? piece : piece.subarray(filled))
    if (count === 0) throw contentFailure('SIZE_MISMATCH', `the stored bytes of ${digest} end too early`)
    filled += count
  }
}
