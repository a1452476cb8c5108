import assert from 'node:assert/strict'
import { type ByteReader, bytesReader, type OpenAt } from '#content/index.ts'

/** Readers of one content that tell what became of them. */
export class Given {
  readonly offsets: number[] = []
  readonly #bytes: Uint8Array
  readonly #cutAfterBytes: number
  #open = 0
  constructor(bytes: Uint8Array, cutAfterBytes = Number.POSITIVE_INFINITY) {
    this.#bytes = bytes
    this.#cutAfterBytes = cutAfterBytes
  }

  readonly from: OpenAt = async (offset) => {
    this.offsets.push(offset)
    this.#open++
    const inner = bytesReader(this.#bytes.subarray(offset))
    let left = this.#cutAfterBytes
    let isOpen = true
    return {
      read: async (into) => {
        assert.ok(isOpen, 'read after close')
        // Short and uneven reads, as a socket gives them.
        const count = await inner.read(into.subarray(0, Math.min(into.length, 77_777)))
        left -= count
        if (left < 0) throw new Error('the link is cut')
        return count
      },
      close: async () => {
        if (isOpen) this.#open--
        isOpen = false
      },
    }
  }

  assertClosed(): void {
    assert.equal(this.#open, 0, 'every reader that was given out is closed')
  }
}

/** Gives some bytes, and then nothing until it is closed. */
export class SilentReader implements ByteReader {
  isClosed = false
  readonly #bytes: Uint8Array
  readonly #silentAfterBytes: number
  readonly #onSilence: () => void
  #at = 0
  #wake: (() => void) | undefined

  constructor(bytes: Uint8Array, silentAfterBytes: number, onSilence: () => void) {
    this.#bytes = bytes
    this.#silentAfterBytes = silentAfterBytes
    this.#onSilence = onSilence
  }

  at(offset: number): this {
    this.#at = offset
    return this
  }

  async read(into: Uint8Array): Promise<number> {
    if (this.#at >= this.#silentAfterBytes) {
      setImmediate(this.#onSilence)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      throw new Error('closed while reading')
    }
    const part = this.#bytes.subarray(this.#at, Math.min(this.#at + into.length, this.#silentAfterBytes))
    into.set(part)
    this.#at += part.length
    return part.length
  }

  async close(): Promise<void> {
    this.isClosed = true
    this.#wake?.()
  }
}
