import { type ByteReader, contentFailure } from '#content/index.ts'
import type { BodyBuffers } from './body-buffers.ts'
import type { StreamedBody } from './exchange.ts'

/**
 * Sends exactly `sizeBytes` of a reader: one buffer fills while the other is on its way. Each chunk but the last is
 * a full buffer, so that the socket asks for the next one only after it has taken the one before.
 *
 * @throws SIZE_MISMATCH (out of the iteration) where the reader ends early or late, and whatever it throws
 */
export class ReaderBody implements StreamedBody {
  readonly sizeBytes: number
  readonly #toEnd: boolean
  readonly #reader: ByteReader
  readonly #buffers: BodyBuffers
  readonly #pair: [Uint8Array, Uint8Array]
  #filling: Promise<number> | undefined
  #failure: { readonly error: unknown } | undefined
  #given = false
  #closed = false

  /** `toEnd`: the reader must have no byte more. */
  constructor(reader: ByteReader, sizeBytes: number, toEnd: boolean, buffers: BodyBuffers) {
    this.#toEnd = toEnd
    this.sizeBytes = sizeBytes
    this.#reader = reader
    this.#buffers = buffers
    this.#pair = [buffers.take(), buffers.take()]
  }

  /** Why the source could not give its bytes, where it was the source that failed and not the connection. */
  get sourceFailure(): { readonly error: unknown } | undefined {
    return this.#failure
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    let left = this.sizeBytes
    let which = 0
    if (left > 0) this.#filling = this.#fill(this.#pair[0], left)
    while (left > 0) {
      const full = this.#pair[which] as Uint8Array
      const count = await (this.#filling as Promise<number>)
      left -= count
      which = 1 - which
      this.#filling = left > 0 ? this.#fill(this.#pair[which] as Uint8Array, left) : undefined
      // It is awaited in the next round, or by `close`.
      this.#filling?.catch(() => {})
      // Nobody tells when the last chunk has left the socket, so it goes out as a copy.
      yield left > 0 ? full.subarray(0, count) : full.slice(0, count)
    }
    this.#given = true
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#reader.close()
    await this.#filling?.catch(() => {})
    // What a dying connection may still hold is not given to another upload.
    if (this.#given) for (const buffer of this.#pair) this.#buffers.giveBack(buffer)
  }

  async #fill(buffer: Uint8Array, left: number): Promise<number> {
    const wanted = Math.min(left, buffer.length)
    let filled = 0
    try {
      while (filled < wanted) {
        const count = await this.#reader.read(buffer.subarray(filled, wanted))
        if (count === 0) {
          throw contentFailure('SIZE_MISMATCH', `the source ended ${left - filled} bytes before its end`)
        }
        filled += count
      }
      if (this.#toEnd && filled === left && (await this.#reader.read(new Uint8Array(1))) > 0) {
        throw contentFailure('SIZE_MISMATCH', 'the source holds more bytes than it should')
      }
    } catch (error) {
      if (!this.#closed) this.#failure ??= { error }
      throw error
    }
    return filled
  }
}
