import { createHash, createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { secretLimits } from '#base/index.ts'
import { failure } from './codes.ts'

/**
 * The master keys of a broker: the active one seals, all of them open. Kept as `KeyObject`s, which show nothing of
 * themselves when they are printed.
 */
export interface Keyring {
  /** Id of the key that seals. */
  readonly activeId: string
  /** By id: 32 hex digits, made from the key, so that no two keys can have one id. In the order of their making. */
  readonly keys: ReadonlyMap<string, KeyObject>
}

export const masterKeyBytes = 32

const idOf = (key: Uint8Array) =>
  createHash('sha256').update('sealift master key id 1\0').update(key).digest('hex').slice(0, 32)

export function masterKey(bytes: Uint8Array): readonly [id: string, key: KeyObject] {
  return [idOf(bytes), createSecretKey(bytes)]
}

function made(): readonly [id: string, key: KeyObject] {
  const bytes = randomBytes(masterKeyBytes)
  const entry = masterKey(bytes)
  bytes.fill(0)
  return entry
}

/** A keyring with one new key. */
export function newKeyring(): Keyring {
  const entry = made()
  return { activeId: entry[0], keys: new Map([entry]) }
}

/**
 * A keyring with a next key, which opens and does not seal yet: replicas elsewhere are given the file before it does.
 * The same keyring where there is such a key already. @throws KEYRING_INVALID where it is full
 */
export function prepareKeyring(keyring: Keyring, most: number = secretLimits.masterKeys): Keyring {
  const { activeId, keys } = keyring
  if ([...keys.keys()].at(-1) !== activeId) return keyring
  if (keys.size >= most) throw failure('KEYRING_INVALID', `the keyring has ${keys.size} keys already`)
  return { activeId, keys: new Map([...keys, made()]) }
}

/**
 * A keyring of which the newest key seals from now on: the one that was prepared, or a new one. The old ones still
 * open. @throws KEYRING_INVALID where it is full
 */
export function rotateKeyring(keyring: Keyring, most: number = secretLimits.masterKeys): Keyring {
  const { keys } = prepareKeyring(keyring, most)
  return { activeId: [...keys.keys()].at(-1)!, keys }
}

/** A keyring without this key: what it sealed is lost unless it was sealed anew. @throws KEYRING_KEY_NEEDED */
export function dropMasterKey({ activeId, keys }: Keyring, id: string): Keyring {
  if (id === activeId) throw failure('KEYRING_KEY_NEEDED', `the key ${id} is the one that seals`)
  if (!keys.has(id)) throw failure('KEYRING_KEY_NEEDED', 'the keyring has no such key')
  return { activeId, keys: new Map([...keys].filter(([other]) => other !== id)) }
}
