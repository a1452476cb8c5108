import { limits, type OpenFile } from '#base/index.ts'
import type { LogEvent } from '../runtime/operation.ts'

/** Keeps what the run tool writes, both streams in the order in which they came, up to a limit. */
export class LogWriter implements AsyncDisposable {
  readonly #file: OpenFile
  readonly #maxBytes: number
  #sizeBytes = 0
  /** The two streams write at once: each waits for the one before it. */
  #last: Promise<void> = Promise.resolve()

  constructor(file: OpenFile, maxBytes: number = limits.actionLogBytes) {
    this.#file = file
    this.#maxBytes = maxBytes
  }

  write({ bytes }: Pick<LogEvent, 'bytes'>): Promise<void> {
    const next = this.#last.then(() => this.#append(bytes))
    // Whoever waits for it is told of a failure; the one after it fails by itself.
    this.#last = next.catch(() => undefined)
    return next
  }

  async #append(bytes: Uint8Array): Promise<void> {
    const room = this.#maxBytes - this.#sizeBytes
    if (room <= 0) return
    const part = bytes.subarray(0, room)
    await this.#file.write(part, this.#sizeBytes)
    this.#sizeBytes += part.length
    if (part.length === bytes.length) return
    const note = Buffer.from(`\n[the log ends here: it has reached ${this.#maxBytes} bytes]\n`)
    await this.#file.write(note, this.#sizeBytes)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last
    await this.#file.sync()
    await this.#file.close()
  }
}
