import { Lru } from '#base/index.ts'

/** Answers that hold for a while: bounded by their weight, the one unused for longest goes first. */
export class Remembered<T extends { readonly at: Date; readonly validUntil?: Date }> {
  readonly #entries: Lru<string, T>

  constructor(maxWeight: number) {
    this.#entries = new Lru(maxWeight)
  }

  /** What holds still at `at`. A clock that was set back before the answer was given gets none. */
  get(key: string, at: Date): T | undefined {
    const value = this.#entries.get(key)
    if (!value || ((!value.validUntil || at < value.validUntil) && at >= value.at)) return value
    this.#entries.delete(key)
    return undefined
  }

  set(key: string, value: T, weight = 1): void {
    this.#entries.set(key, value, weight)
  }
}
