/** A body on its way in, as the watch sees it. */
export interface WatchedBody {
  readonly receivedBytes: number
  /** Whether it is we who keep the client waiting. */
  readonly paused: boolean
  cutOff(): void
}

/**
 * Cuts off bodies that bring less than so many bytes a second for too long: a client that sends a byte now and
 * then keeps no idle timeout busy. What waits for our disk does not count.
 */
export class SlowBodies {
  readonly #bodies = new Map<WatchedBody, { seenBytes: number; slowTicks: number }>()
  readonly #minBytes: number
  readonly #maxTicks: number
  readonly #tickMs: number
  #timer: NodeJS.Timeout | undefined

  constructor(options: { bodyBytesPerSecond: number; bodySlowMs: number }) {
    this.#tickMs = Math.min(1000, options.bodySlowMs)
    this.#minBytes = (options.bodyBytesPerSecond * this.#tickMs) / 1000
    this.#maxTicks = Math.ceil(options.bodySlowMs / this.#tickMs)
  }

  watch(body: WatchedBody): () => void {
    this.#bodies.set(body, { seenBytes: body.receivedBytes, slowTicks: 0 })
    this.#timer ??= setInterval(() => this.#tick(), this.#tickMs).unref()
    return () => {
      this.#bodies.delete(body)
      if (this.#bodies.size === 0) this.stop()
    }
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #tick(): void {
    for (const [body, state] of this.#bodies) {
      const brought = body.receivedBytes - state.seenBytes
      state.seenBytes = body.receivedBytes
      state.slowTicks = body.paused || brought >= this.#minBytes ? 0 : state.slowTicks + 1
      if (state.slowTicks >= this.#maxTicks) body.cutOff()
    }
  }
}
