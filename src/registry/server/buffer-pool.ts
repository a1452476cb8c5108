/** Size of the buffers in the ring of a transfer: large enough that calls do not count (measured). */
const pieceBytes = 1024 * 1024
/** What a transfer gets when the shared buffers are out, so that slow clients can never starve the others. */
const smallPieceBytes = 64 * 1024

/** Buffers shared by all transfers, bounded in sum. */
export class BufferPool {
  readonly #free: Buffer[] = []
  readonly #maxPieces: number
  #pieces = 0

  constructor(maxBytes: number) {
    this.#maxPieces = Math.floor(maxBytes / pieceBytes)
  }

  /** A buffer for content of which `neededBytes` are still to come; it may be smaller than that. */
  take(neededBytes: number): Buffer {
    if (neededBytes <= smallPieceBytes) return Buffer.allocUnsafe(neededBytes)
    const free = this.#free.pop()
    if (free) return free
    if (this.#pieces >= this.#maxPieces) return Buffer.allocUnsafeSlow(smallPieceBytes)
    this.#pieces++
    return Buffer.allocUnsafeSlow(pieceBytes)
  }

  /** Takes back a buffer that nobody, the kernel included, looks at any more. */
  give(buffer: Buffer): void {
    if (buffer.length === pieceBytes) this.#free.push(buffer)
  }

  /** Leaves a buffer to the garbage collector: a write of it may still be under way. */
  lose(buffer: Buffer): void {
    if (buffer.length === pieceBytes) this.#pieces--
  }
}
