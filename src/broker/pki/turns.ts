/**
 * One after another, by key, within this process: a hundred guests of one identity that ask at once do not overtake
 * one another in the store again and again. Between processes the store's compare-and-set decides.
 */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>()

  async take<T>(key: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const mine = this.#after(this.#last.get(key), signal, work)
    this.#last.set(key, mine)
    try {
      return await mine
    } finally {
      if (this.#last.get(key) === mine) this.#last.delete(key)
    }
  }

  async #after<T>(
    before: Promise<unknown> | undefined,
    signal: AbortSignal | undefined,
    work: () => Promise<T>,
  ): Promise<T> {
    // How that ended is for who asked for it.
    await before?.catch(() => {})
    signal?.throwIfAborted()
    return await work()
  }
}
