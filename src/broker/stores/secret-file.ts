import { createHash, timingSafeEqual } from 'node:crypto'
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

/** @throws SECRET_DAMAGED */
export function parseSecretFile(bytes: Uint8Array, key: string): { value: Uint8Array; revision: string } {
  const revision = bytes.subarray(head.length, head.length + revisionBytes)
  const digest = bytes.subarray(head.length + revisionBytes, secretFileHead)
  const value = bytes.subarray(secretFileHead)
  const isWhole =
    bytes.length >= secretFileHead &&
    head.equals(bytes.subarray(0, head.length)) &&
    timingSafeEqual(digest, digestOf(revision, value))
  if (!isWhole) throw failure('SECRET_DAMAGED', `the file of ${key} is damaged`, { detail: { key } })
  return { value: Uint8Array.from(value), revision: Buffer.from(revision).toString('latin1') }
}
