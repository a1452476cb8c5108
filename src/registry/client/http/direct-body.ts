import type { ByteReader } from '#content/index.ts'
import { failure } from '../codes.ts'
import type { DirectConnection, Receiver } from './direct-connection.ts'
import type { StallWatch } from './stall-watch.ts'

/** A body of known length straight from the connection's buffer: copied once, into the reader's own. */
export class DirectBody implements ByteReader, Receiver {
  readonly #connection: DirectConnection
  readonly #watch: StallWatch
  readonly #over: (reusable: boolean) => void
  #left: number
  #pending: Uint8Array
  #error: Error | undefined
  #isOver = false
  #waiting: { into: Uint8Array; resolve: (count: number) => void; reject: (error: Error) => void } | undefined

  /** `over` is called once, when the connection is free again or lost. */
  constructor(
    connection: DirectConnection,
    lengthBytes: number,
    rest: Uint8Array,
    watch: StallWatch,
    over: (reusable: boolean) => void,
  ) {
    this.#connection = connection
    this.#left = lengthBytes
    this.#pending = rest
    this.#watch = watch
    this.#over = over
    connection.deliverTo(this)
  }

  onBytes(bytes: Uint8Array): boolean {
    if (!this.#watch.arrived(bytes.length)) {
      this.onEnd(failure('REGISTRY_STALLED', 'the registry sends too slowly to ever finish'))
      return false
    }
    this.#pending = bytes
    const waiting = this.#waiting
    if (!waiting) return false
    this.#waiting = undefined
    waiting.resolve(this.#take(waiting.into))
    // Also when the body is over: the connection, idle then, must hear that the peer hangs up.
    return this.#pending.length === 0
  }

  onEnd(error: Error): void {
    if (this.#isOver) return
    this.#error = error
    this.#finish(false)
    this.#waiting?.reject(error)
    this.#waiting = undefined
  }

  async read(into: Uint8Array): Promise<number> {
    if (this.#left === 0) {
      this.#finish(this.#pending.length === 0)
      return 0
    }
    if (this.#pending.length > 0) {
      this.#watch.flowing()
      return this.#take(into)
    }
    if (this.#error) throw this.#error
    if (this.#isOver) throw new Error('the body was closed before its end')
    this.#watch.waiting()
    return new Promise((resolve, reject) => {
      this.#waiting = { into, resolve, reject }
      this.#connection.resume()
    })
  }

  async close(): Promise<void> {
    if (this.#isOver) return
    this.#waiting?.reject(new Error('the body was closed before its end'))
    this.#waiting = undefined
    this.#finish(false)
  }

  #take(into: Uint8Array): number {
    // Bytes beyond the promised length are left over, and the connection is then not used again.
    const count = Math.min(into.length, this.#pending.length, this.#left)
    into.set(this.#pending.subarray(0, count))
    this.#pending = this.#pending.subarray(count)
    this.#left -= count
    if (this.#left === 0) this.#finish(this.#pending.length === 0)
    return count
  }

  #finish(reusable: boolean): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#connection.deliverTo(undefined)
    this.#over(reusable)
  }
}
