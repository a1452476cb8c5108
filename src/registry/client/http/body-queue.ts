import type { ByteReader } from '#content/index.ts'
import { failure } from '../codes.ts'
import type { StallWatch } from './stall-watch.ts'

/** What a queue may do to the connection that fills it. */
export interface Flow {
  pause(): void
  resume(): void
  abort(reason: Error): void
}

/** Up to so many bytes of an unwanted body are read and dropped, which is cheaper than a new connection. */
const discardBytes = 64 * 1024

/** A body that is pushed in by its connection and pulled out by its reader, with a bound between them. */
export class BodyQueue implements ByteReader {
  readonly #flow: Flow
  readonly #maxBytes: number
  readonly #watch: StallWatch
  readonly #host: string
  #chunks: Uint8Array[] = []
  #next = 0
  #offset = 0
  #heldBytes = 0
  #paused = false
  #ended = false
  #error: Error | undefined
  #discarded: number | undefined
  #waiting: { into: Uint8Array; resolve: (count: number) => void; reject: (error: Error) => void } | undefined

  constructor(host: string, flow: Flow, maxBytes: number, watch: StallWatch) {
    this.#host = host
    this.#flow = flow
    this.#maxBytes = maxBytes
    this.#watch = watch
  }

  push(chunk: Uint8Array): void {
    if (this.#discarded !== undefined) {
      this.#discarded += chunk.length
      if (this.#discarded > discardBytes) this.#flow.abort(closed())
      return
    }
    if (chunk.length === 0 || this.#error) return
    if (!this.#watch.arrived(chunk.length)) {
      this.fail(failure('REGISTRY_STALLED', `${this.#host} sends too slowly to ever finish`))
      this.#flow.abort(this.#error as unknown as Error)
      return
    }
    this.#chunks.push(chunk)
    this.#heldBytes += chunk.length
    const waiting = this.#waiting
    if (waiting) {
      this.#waiting = undefined
      waiting.resolve(this.#take(waiting.into))
    }
    if (this.#heldBytes >= this.#maxBytes && !this.#paused) {
      this.#paused = true
      this.#flow.pause()
    }
  }

  end(): void {
    this.#ended = true
    this.#waiting?.resolve(0)
    this.#waiting = undefined
  }

  fail(error: Error): void {
    this.#error ??= error
    this.#waiting?.reject(this.#error)
    this.#waiting = undefined
  }

  async read(into: Uint8Array): Promise<number> {
    if (this.#discarded !== undefined) throw closed()
    if (this.#heldBytes > 0) {
      this.#watch.flowing()
      return this.#take(into)
    }
    if (this.#error) throw this.#error
    if (this.#ended || into.length === 0) return 0
    this.#watch.waiting()
    return new Promise((resolve, reject) => {
      this.#waiting = { into, resolve, reject }
    })
  }

  async close(): Promise<void> {
    if (this.#discarded !== undefined) return
    this.#discarded = this.#heldBytes
    this.#chunks = []
    this.#heldBytes = 0
    this.#waiting?.reject(closed())
    this.#waiting = undefined
    if (this.#ended || this.#error) return
    if (this.#discarded > discardBytes) this.#flow.abort(closed())
    else if (this.#paused) this.#flow.resume()
  }

  #take(into: Uint8Array): number {
    let filled = 0
    while (filled < into.length && this.#next < this.#chunks.length) {
      const chunk = this.#chunks[this.#next] as Uint8Array
      const count = Math.min(chunk.length - this.#offset, into.length - filled)
      into.set(count === chunk.length ? chunk : chunk.subarray(this.#offset, this.#offset + count), filled)
      filled += count
      this.#offset += count
      if (this.#offset === chunk.length) {
        this.#next++
        this.#offset = 0
      }
    }
    if (this.#next === this.#chunks.length) {
      this.#chunks.length = 0
      this.#next = 0
    }
    this.#heldBytes -= filled
    if (this.#paused && this.#heldBytes <= this.#maxBytes / 2) {
      this.#paused = false
      this.#flow.resume()
    }
    return filled
  }
}

const closed = () => new Error('the body was closed before its end')
