/** Tells a slow body from one that trickles on purpose: counts only the time that somebody waits for it. */
export class StallWatch {
  readonly #now: () => number
  readonly #windowMs: number
  readonly #leastBytes: number
  #begunMs: number | undefined
  #bytes = 0

  /** At least `leastBytes` must arrive in any `windowMs` of waiting. */
  constructor(now: () => number, windowMs: number, leastBytes: number) {
    this.#now = now
    this.#windowMs = windowMs
    this.#leastBytes = leastBytes
  }

  /** Somebody begins, or goes on, to wait. */
  waiting(): void {
    this.#begunMs ??= this.#now()
  }

  /** Bytes were there without waiting. */
  flowing(): void {
    this.#begunMs = undefined
    this.#bytes = 0
  }

  /** False where too little came in the time that was waited. */
  arrived(count: number): boolean {
    this.#bytes += count
    if (this.#begunMs === undefined) return true
    const now = this.#now()
    if (now - this.#begunMs < this.#windowMs) return true
    const enough = this.#bytes >= this.#leastBytes
    this.#begunMs = now
    this.#bytes = 0
    return enough
  }
}
