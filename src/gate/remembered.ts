/** Answers that hold for a while: bounded, the one unused for longest goes first. */
export class Remembered<T extends { readonly validUntil?: Date }> {
  readonly #entries = new Map<string, T>()
  readonly #most: number

  constructor(most: number) {
    this.#most = most
  }

  /** What holds still at `at`. A clock that was set back before the answer was given gets none. */
  get(key: string, at: Date, givenAt: (value: T) => Date): T | undefined {
    const value = this.#entries.get(key)
    if (!value) return undefined
    this.#entries.delete(key)
    if ((value.validUntil && at >= value.validUntil) || at < givenAt(value)) return undefined
    this.#entries.set(key, value)
    return value
  }

  set(key: string, value: T): void {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    if (this.#entries.size > this.#most) {
      const [oldest] = this.#entries.keys()
      if (oldest !== undefined) this.#entries.delete(oldest)
    }
  }
}
