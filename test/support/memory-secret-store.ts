import type { SecretStore, Stored } from '#broker/index.ts'

/** A store of secrets in memory, for tests; `before` is awaited before each step, so that a test can mix the steps of many. */
export class MemorySecretStore implements SecretStore {
  readonly entries = new Map<string, Stored>()
  readonly #before: () => Promise<void>
  #revision = 0

  constructor(before: () => Promise<void> = async () => {}) {
    this.#before = before
  }

  async read(key: string): Promise<Stored | undefined> {
    await this.#before()
    return this.entries.get(key)
  }

  async list(prefix: string, { after = '', limit = 1000 }: { after?: string; limit?: number } = {}) {
    await this.#before()
    return [...this.entries.keys()]
      .filter((key) => key.startsWith(prefix) && key > after)
      .sort()
      .slice(0, limit)
  }

  async compareAndSet(key: string, expectedRevision: string | undefined, value: Uint8Array | null) {
    await this.#before()
    if (this.entries.get(key)?.revision !== expectedRevision) return undefined
    if (value === null) {
      this.entries.delete(key)
      return expectedRevision
    }
    const revision = `${++this.#revision}`
    this.entries.set(key, { value, revision })
    return revision
  }
}
