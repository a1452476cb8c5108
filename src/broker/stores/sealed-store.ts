import { isFailure, SealiftError, type SecretLimits, secretLimits } from '#base/index.ts'
import type { SecretStore, Stored } from '../types.ts'
import { changing, type KeyringSource } from './changing-keyring.ts'
import { failure } from './codes.ts'
import type { Keyring } from './keyring.ts'
import { openValue, type SealedPlace, sealedBy, sealValue } from './sealed-value.ts'

export interface SealedStoreOptions {
  /** The store's name: what was sealed for one store opens in no other. */
  readonly name?: string
  readonly limits?: Pick<SecretLimits, 'valueBytes'>
}

/**
 * A store in which every value is encrypted under a master key and bound to its key. Whoever writes to the store
 * beneath it can remove values, and put back what once was under the same key; they can read, forge and move none.
 * Keys are not encrypted. A keyring may be rotated meanwhile: one given as a function is asked for at each call, and a
 * `ChangingKeyring` is looked at again for a key that it does not have.
 *
 * Reading also fails with SECRET_NOT_SEALED, SECRET_SEALED_BY_UNKNOWN_KEY and SECRET_SEAL_BROKEN; the revision is in
 * the detail, so that the value can be replaced or removed (`revisionThere`).
 */
export function sealedStore(
  store: SecretStore,
  keyring: KeyringSource,
  { name = '', limits = secretLimits }: SealedStoreOptions = {},
): SecretStore {
  const ring = changing(keyring)
  const opened = ({ value, revision }: Stored, key: string): Stored => {
    try {
      return { value: openValue(ring.last, { store: name, key }, value), revision }
    } catch (error) {
      if (!isFailure(error)) throw error
      const { code, message, hint, detail } = error
      throw new SealiftError(code, message, { hint, detail: { ...detail, revision } })
    }
  }
  return {
    async read(key, signal) {
      const stored = await store.read(key, signal)
      if (!stored) return undefined
      const { last } = ring
      try {
        return opened(stored, key)
      } catch (error) {
        if (!isFailure(error, 'SECRET_SEALED_BY_UNKNOWN_KEY')) throw error
        // Another process may have rotated the keyring just now.
        await ring.readAgain()
        if (ring.last === last) throw error
        return opened(stored, key)
      }
    },
    list: (prefix, page) => store.list(prefix, page),
    async compareAndSet(key, expectedRevision, value, signal) {
      if (value !== null && value.length > limits.valueBytes) {
        throw failure(
          'SECRET_VALUE_TOO_LARGE',
          `a value of ${value.length} bytes is over the limit of ${limits.valueBytes}`,
        )
      }
      const sealed = value && sealValue(await ring.current(), { store: name, key }, value)
      return store.compareAndSet(key, expectedRevision, sealed, signal)
    },
  }
}

/**
 * The revision of what is under a key, for whoever replaces or removes it: also where the value itself is damaged, or
 * its seal is. Undefined where there is nothing. @throws whatever else the store does
 */
export async function revisionThere(
  store: SecretStore,
  key: string,
  signal?: AbortSignal,
): Promise<string | undefined> {
  try {
    return (await store.read(key, signal))?.revision
  } catch (error) {
    const revision = isFailure(error) ? error.detail.revision : undefined
    if (typeof revision !== 'string') throw error
    return revision
  }
}

/** What `reseal` found. Keys only: nothing of a value. */
export interface ResealReport {
  /** Sealed anew, by the active key. */
  readonly resealed: number
  /** Sealed by the active key already. */
  readonly current: number
  /** Left as they are, and why: as long as there are any, no old key can be dropped. */
  readonly refused: readonly { readonly key: string; readonly code: string }[]
}

/**
 * Seals everything in a store anew that an older master key has sealed; the store is the one beneath `sealedStore`.
 * It may be in use meanwhile: what another is faster with is looked at again. Once nothing is refused and nothing
 * was left to do, the older keys can be dropped.
 *
 * @throws whatever the store does
 */
export async function reseal(
  store: SecretStore,
  keyring: Keyring,
  { name = '', signal }: { readonly name?: string; readonly signal?: AbortSignal } = {},
): Promise<ResealReport> {
  const refused: { key: string; code: string }[] = []
  const counts = { resealed: 0, current: 0 }
  for (let after: string | undefined; ; ) {
    const keys = await store.list('', after === undefined ? {} : { after })
    for (const key of keys) {
      signal?.throwIfAborted()
      try {
        const done = await resealOne(store, keyring, { store: name, key }, signal)
        if (done) counts[done]++
      } catch (error) {
        if (!isFailure(error) || !ofTheValue.includes(error.code)) throw error
        refused.push({ key, code: error.code })
      }
    }
    after = keys.at(-1)
    if (after === undefined) return { ...counts, refused }
  }
}

const ofTheValue: readonly string[] = [
  'SECRET_NOT_SEALED',
  'SECRET_SEALED_BY_UNKNOWN_KEY',
  'SECRET_SEAL_BROKEN',
  'SECRET_DAMAGED',
  'SECRET_STORE_BUSY',
]

/** @returns undefined where it is gone */
async function resealOne(
  store: SecretStore,
  keyring: Keyring,
  place: SealedPlace,
  signal: AbortSignal | undefined,
): Promise<'resealed' | 'current' | undefined> {
  for (let attempt = 0; attempt < secretLimits.attempts; attempt++) {
    const stored = await store.read(place.key, signal)
    if (!stored) return undefined
    if (sealedBy(stored.value, place) === keyring.activeId) return 'current'
    const value = openValue(keyring, place, stored.value)
    const sealed = sealValue(keyring, place, value)
    value.fill(0)
    if (await store.compareAndSet(place.key, stored.revision, sealed, signal)) return 'resealed'
  }
  throw failure('SECRET_STORE_BUSY', `others change ${place.key} all the time`)
}
