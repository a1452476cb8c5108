import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { failure } from './codes.ts'

// One value as a file: a line that says what it is, the revision, a digest over both and the value, the value. The
// digest tells damage from a value; it is no proof against whoever can write (sealing is).

const head = Buffer.from('sealift secret 1\n')
const revisionBytes = 36
const digestBytes = 32

/** How many bytes of a file are not its value. */
export const secretFileHead = head.length + revisionBytes + digestBytes

const digestOf = (revision: Uint8Array, value: Uint8Array) =>
  createHash('sha256').update(head).update(revision).update(value).digest()

export function formatSecretFile(revision: string, value: Uint8Array): Uint8Array {
  const text = Buffer.from(revision)
  return Buffer.concat([head, text, digestOf(text, value), value])
}

/** @throws SECRET_DAMAGED, with the revision by which it can be replaced in its detail */
export function parseSecretFile(bytes: Uint8Array, key: string): { value: Uint8Array; revision: string } {
  if (!isWhole(bytes)) {
    const detail = { key, revision: revisionOf(bytes) }
    throw failure('SECRET_DAMAGED', `the file of ${key} is damaged`, { detail })
  }
  return { value: Uint8Array.from(bytes.subarray(secretFileHead)), revision: revisionOf(bytes) }
}

/** A digest of damaged bytes could give away what is left in them to guess, without a key. */
const damageKey = randomBytes(32)

/** The revision of a file; of a damaged one another, for this process alone. */
export const revisionOf = (bytes: Uint8Array): string =>
  isWhole(bytes)
    ? Buffer.from(bytes.subarray(head.length, head.length + revisionBytes)).toString('latin1')
    : `damaged-${createHmac('sha256', damageKey).update(bytes).digest('hex')}`

function isWhole(bytes: Uint8Array): boolean {
  if (bytes.length < secretFileHead || !head.equals(bytes.subarray(0, head.length))) return false
  const revision = bytes.subarray(head.length, head.length + revisionBytes)
  const digest = bytes.subarray(head.length + revisionBytes, secretFileHead)
  return timingSafeEqual(digest, digestOf(revision, bytes.subarray(secretFileHead)))
}
