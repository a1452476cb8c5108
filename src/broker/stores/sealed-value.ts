import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { failure } from './codes.ts'
import { type Keyring, masterKeyBytes } from './keyring.ts'

// A sealed value: format (8 bytes), id of the master key (16), then two boxes of AES-256-GCM (NIST SP 800-38D), each
// a nonce (12), a ciphertext and a tag (16): the data key under the master key, and the value under the data key.
// Each value has a data key of its own, so that a master key encrypts few bytes; nonces are random, and one master
// key should seal no more than 2^32 values. The additional data of both boxes is the format, the key's id, and where
// the value lies: a box that was moved, or put into another head, does not open.

const format = Buffer.from('SLSEAL\x00\x01', 'latin1')
const idBytes = 16
const nonceBytes = 12
const tagBytes = 16
const headBytes = format.length + idBytes
const wrappedBytes = nonceBytes + masterKeyBytes + tagBytes

/** How much longer a sealed value is. */
export const sealBytes = headBytes + wrappedBytes + nonceBytes + tagBytes

/** Where a value lies: the store's name (a store must not pass for another) and the key. */
export interface SealedPlace {
  readonly store: string
  readonly key: string
}

/** Each part has its length before it: no two places give the same bytes. */
function additional(use: 'key' | 'value', head: Uint8Array, { store, key }: SealedPlace): Uint8Array {
  const parts = [use, store, key].flatMap((part) => {
    const bytes = Buffer.from(part)
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    return [length, bytes]
  })
  return Buffer.concat([head, ...parts])
}

function box(key: Parameters<typeof createCipheriv>[1], plain: Uint8Array, aad: Uint8Array): Uint8Array {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(aad)
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

function unbox(key: Parameters<typeof createCipheriv>[1], sealed: Uint8Array, aad: Uint8Array): Buffer {
  const nonce = sealed.subarray(0, nonceBytes)
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes })
  decipher.setAAD(aad)
  decipher.setAuthTag(sealed.subarray(-tagBytes))
  return Buffer.concat([decipher.update(sealed.subarray(nonceBytes, -tagBytes)), decipher.final()])
}

export function sealValue(keyring: Keyring, place: SealedPlace, value: Uint8Array): Uint8Array {
  const master = keyring.keys.get(keyring.activeId)
  if (!master) throw failure('KEYRING_INVALID', 'the keyring is refused: its active key is not in it')
  const head = Buffer.concat([format, Buffer.from(keyring.activeId, 'hex')])
  const dataKey = randomBytes(masterKeyBytes)
  try {
    const wrapped = box(master, dataKey, additional('key', head, place))
    const sealed = box(dataKey, value, additional('value', head, place))
    return new Uint8Array(Buffer.concat([head, wrapped, sealed]))
  } finally {
    dataKey.fill(0)
  }
}

/** The id of the master key that sealed this. @throws SECRET_NOT_SEALED */
export function sealedBy(sealed: Uint8Array, { key }: SealedPlace): string {
  if (sealed.length < sealBytes || !format.equals(sealed.subarray(0, format.length))) {
    throw failure('SECRET_NOT_SEALED', `the value of ${key} is not sealed`, { detail: { key } })
  }
  return Buffer.from(sealed.subarray(format.length, headBytes)).toString('hex')
}

/** @throws SECRET_NOT_SEALED, SECRET_SEALED_BY_UNKNOWN_KEY, SECRET_SEAL_BROKEN */
export function openValue(keyring: Keyring, place: SealedPlace, sealed: Uint8Array): Uint8Array {
  const { key } = place
  const keyId = sealedBy(sealed, place)
  const master = keyring.keys.get(keyId)
  if (!master) {
    throw failure(
      'SECRET_SEALED_BY_UNKNOWN_KEY',
      `${key} is sealed by the master key ${keyId}, which is not here`,
      {
        detail: { key, keyId },
      },
    )
  }
  const head = sealed.subarray(0, headBytes)
  let dataKey: Buffer | undefined
  try {
    const wrapped = sealed.subarray(headBytes, headBytes + wrappedBytes)
    dataKey = unbox(master, wrapped, additional('key', head, place))
    const value = unbox(dataKey, sealed.subarray(headBytes + wrappedBytes), additional('value', head, place))
    return new Uint8Array(value)
  } catch {
    throw failure('SECRET_SEAL_BROKEN', `the seal of ${key} is broken`, { detail: { key, keyId } })
  } finally {
    dataKey?.fill(0)
  }
}
