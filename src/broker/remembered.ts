/**
 * What was read from the state, for a while: asked for again only when it is old, and once at a time, however many ask.
 */
export class Remembered<T> {
  readonly #load: () => Promise<T>
  readonly #refreshMs: number
  readonly #clock: () => number
  #generation = 0
  #known: { readonly value: T; readonly at: number } | undefined
  #loading: { readonly generation: number; readonly value: Promise<T> } | undefined

  /** @param clock milliseconds of a clock that does not jump */
  constructor(load: () => Promise<T>, refreshMs: number, clock: () => number = () => performance.now()) {
    this.#load = load
    this.#refreshMs = refreshMs
    this.#clock = clock
  }

  /** What `load` gave at most `refreshMs` ago, and not before the last `forget`. @throws what it does */
  async get(): Promise<T> {
    const known = this.#known
    if (known && this.#clock() - known.at < this.#refreshMs) return known.value
    const generation = this.#generation
    if (this.#loading?.generation === generation) return await this.#loading.value
    const loading = { generation, value: this.#read(generation) }
    this.#loading = loading
    try {
      return await loading.value
    } finally {
      if (this.#loading === loading) this.#loading = undefined
    }
  }

  /** After a change: what is being read now may be from before it. */
  forget(): void {
    this.#generation++
    this.#known = undefined
  }

  /** After a change that is known: what is remembered stays, changed; what is being read now may be from before it. */
  amend(change: (value: T) => T): void {
    this.#generation++
    if (this.#known) this.#known = { ...this.#known, value: change(this.#known.value) }
  }

  async #read(generation: number): Promise<T> {
    const at = this.#clock()
    const value = await this.#load()
    if (generation === this.#generation) this.#known = { value, at }
    return value
  }
}
