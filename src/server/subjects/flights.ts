/** Work that several ask for at the same time is done once; the last one who waits and gives up stops it. */
export class Flights<T> {
  readonly #flights = new Map<string, { promise: Promise<T>; waiting: number; stop: AbortController }>()

  /** Number of things under way. */
  get size(): number {
    return this.#flights.size
  }

  /** @throws what `work` throws, or the signal's reason */
  async join(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    signal.throwIfAborted()
    let flight = this.#flights.get(key)
    if (flight === undefined) {
      const stop = new AbortController()
      const promise = work(stop.signal).finally(() => {
        if (this.#flights.get(key)?.stop === stop) this.#flights.delete(key)
      })
      // Whoever waits sees the failure; that all of them may have gone is no failure of its own.
      promise.catch(() => undefined)
      flight = { promise, waiting: 0, stop }
      this.#flights.set(key, flight)
    }
    const { promise, stop } = flight
    flight.waiting++
    let leave = () => {}
    const left = new Promise<never>((_, reject) => {
      leave = () => reject(signal.reason)
      signal.addEventListener('abort', leave, { once: true })
    })
    try {
      return await Promise.race([promise, left])
    } finally {
      signal.removeEventListener('abort', leave)
      if (--flight.waiting === 0 && this.#flights.get(key)?.stop === stop) {
        this.#flights.delete(key)
        stop.abort(signal.reason)
      }
    }
  }
}
