import { type SecretLimits, secretLimits } from '#base/index.ts'
import type { SecretStore, Stored } from '../types.ts'
import { checkStored, isKeyPrefix, keyNames, newRevision, pageSize } from './secret-key.ts'

/** Secrets in memory, for tests and for what need not outlive the process. */
export class MemorySecretStore implements SecretStore {
  readonly #values = new Map<string, Stored>()
  readonly #limits: Pick<SecretLimits, 'storedBytes'>

  constructor(limits: Pick<SecretLimits, 'storedBytes'> = secretLimits) {
    this.#limits = limits
  }

  async read(key: string, signal?: AbortSignal): Promise<Stored | undefined> {
    keyNames(key)
    signal?.throwIfAborted()
    const stored = this.#values.get(key)
    return stored && { value: stored.value.slice(), revision: stored.revision }
  }

  async list(
    prefix: string,
    { after, limit }: { readonly after?: string; readonly limit?: number } = {},
  ): Promise<readonly string[]> {
    if (!isKeyPrefix(prefix)) return []
    const keys = [...this.#values.keys()].filter(
      (key) => key.startsWith(prefix) && (after === undefined || key > after),
    )
    return keys.sort().slice(0, pageSize(limit))
  }

  async compareAndSet(
    key: string,
    expectedRevision: string | undefined,
    value: Uint8Array | null,
    signal?: AbortSignal,
  ): Promise<string | undefined> {
    keyNames(key)
    checkStored(value, this.#limits)
    signal?.throwIfAborted()
    const stored = this.#values.get(key)
    if (stored?.revision !== expectedRevision) return undefined
    if (value === null) {
      this.#values.delete(key)
      return stored?.revision
    }
    const revision = newRevision()
    this.#values.set(key, { value: Uint8Array.from(value), revision })
    return revision
  }
}
