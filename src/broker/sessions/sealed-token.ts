// A token under a key that only the guest's own cookie gives. The database has the hash of a session's id and what is
// sealed under the id itself: who reads it, or a backup of it, has no token that some other service would take.
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'

const nonceBytes = 12
const tagBytes = 16

/** What the database knows a session by. Two stores in one database never know each other's. */
export const sessionKey = (store: string, id: string): Buffer => hashOf('session', store, id)

/** @param id of 128 random bits: as good a secret as a key, and one for each session */
export function sealToken(store: string, id: string, token: string): Buffer {
  // The nonce is random as two replicas may seal a token for one session at the same time.
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', hashOf('token', store, id), nonce)
  return Buffer.concat([nonce, cipher.update(token, 'utf8'), cipher.final(), cipher.getAuthTag()])
}

/** Undefined for what was sealed for another session, or was changed. */
export function openToken(store: string, id: string, sealed: Uint8Array): string | undefined {
  if (sealed.length < nonceBytes + tagBytes) return undefined
  const nonce = sealed.subarray(0, nonceBytes)
  const decipher = createDecipheriv('aes-256-gcm', hashOf('token', store, id), nonce, {
    authTagLength: tagBytes,
  })
  decipher.setAuthTag(sealed.subarray(-tagBytes))
  try {
    const plain = [decipher.update(sealed.subarray(nonceBytes, -tagBytes)), decipher.final()]
    return Buffer.concat(plain).toString()
  } catch {
    return undefined
  }
}

const hashOf = (purpose: string, store: string, id: string): Buffer =>
  createHash('sha256')
    .update(JSON.stringify(['sealift', purpose, store, id]))
    .digest()
