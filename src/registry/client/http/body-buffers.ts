/**
 * Buffers for bodies on their way out, used again and again. Larger than the high-water mark of a socket (64 KiB),
 * so that each write of a full one waits until the socket has taken it.
 */
export class BodyBuffers {
  readonly sizeBytes = 256 * 1024
  readonly #free: Uint8Array[] = []
  readonly #keep: number

  constructor(keep = 32) {
    this.#keep = keep
  }

  take(): Uint8Array {
    return this.#free.pop() ?? new Uint8Array(this.sizeBytes)
  }

  giveBack(buffer: Uint8Array): void {
    if (this.#free.length < this.#keep) this.#free.push(buffer)
  }
}
