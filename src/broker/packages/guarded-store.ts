import { failures, isFailure, secretLimits } from '#base/index.ts'
import { storeCodes } from '../stores/index.ts'
import { checkStored, isKeyPrefix, keyNames, pageSize } from '../stores/secret-key.ts'
import type { SecretStore, Stored } from '../types.ts'
import { isAbort, kindOf } from './foreign.ts'
import type { PackageStore } from './types.ts'

const failure = failures(storeCodes)
const longestRevision = 256

/**
 * A store of somebody else's as the broker uses it: what goes in is checked as in every store, and so is what comes
 * out; bytes are copied both ways, as each side may overwrite its own; no error of its own is told.
 */
export class GuardedStore implements SecretStore, AsyncDisposable {
  readonly #name: string
  readonly #store: PackageStore

  constructor(name: string, store: PackageStore) {
    this.#name = name
    this.#store = store
  }

  /** @throws SECRET_KEY_INVALID, SECRET_STORE_FAILED, and the codes of the package */
  async read(key: string, signal?: AbortSignal): Promise<Stored | undefined> {
    keyNames(key)
    signal?.throwIfAborted()
    const stored = await this.#told('read', () => this.#store.read(key, signal), signal)
    if (stored === undefined) return undefined
    const { value, revision } = (stored ?? {}) as Partial<Stored>
    if (!(value instanceof Uint8Array) || value.length > secretLimits.storedBytes || !isRevision(revision))
      throw this.#nonsense('read')
    return { value: Uint8Array.from(value), revision }
  }

  /** @throws SECRET_STORE_FAILED, and the codes of the package */
  async list(
    prefix: string,
    { after = '', limit }: { readonly after?: string; readonly limit?: number } = {},
  ): Promise<readonly string[]> {
    if (!isKeyPrefix(prefix)) return []
    const most = pageSize(limit)
    if (most === 0) return []
    const keys: unknown = await this.#told('list', () => this.#store.list(prefix, { after, limit: most }))
    if (!Array.isArray(keys) || keys.length > most) throw this.#nonsense('list')
    let last = after
    return keys.map((key: unknown) => {
      if (typeof key !== 'string' || !isKey(key) || !key.startsWith(prefix) || key <= last)
        throw this.#nonsense('list')
      last = key
      return key
    })
  }

  /** @throws SECRET_KEY_INVALID, SECRET_VALUE_TOO_LARGE, SECRET_STORE_FAILED, and the codes of the package */
  async compareAndSet(
    key: string,
    expectedRevision: string | undefined,
    value: Uint8Array | null,
    signal?: AbortSignal,
  ): Promise<string | undefined> {
    keyNames(key)
    checkStored(value)
    signal?.throwIfAborted()
    if (value === null && expectedRevision === undefined) return undefined
    const copy = value && Uint8Array.from(value)
    const revision = await this.#told(
      'compareAndSet',
      () => this.#store.compareAndSet(key, expectedRevision, copy, signal),
      signal,
    )
    if (revision !== undefined && !isRevision(revision)) throw this.#nonsense('compareAndSet')
    return revision
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#told('closing', async () => this.#store[Symbol.asyncDispose]?.())
  }

  async #told<T>(what: string, act: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    try {
      return await act()
    } catch (error) {
      if (isFailure(error) || isAbort(error, signal)) throw error
      throw failure('SECRET_STORE_FAILED', `the store ${this.#name} failed in ${what} with ${kindOf(error)}`)
    }
  }

  #nonsense(what: string) {
    return failure('SECRET_STORE_FAILED', `the store ${this.#name} answered nonsense to ${what}`)
  }
}

const isRevision = (revision: unknown): revision is string =>
  typeof revision === 'string' && revision.length > 0 && revision.length <= longestRevision

function isKey(text: string): boolean {
  try {
    keyNames(text)
    return true
  } catch {
    return false
  }
}
