import { hash } from 'node:crypto'

/** SHA-256. */
export const hashBytes = 32

/** Root of the empty tree: the hash of nothing (RFC 6962 section 2.1). */
export const emptyRoot: Uint8Array = hash('sha256', new Uint8Array(0), 'buffer')

/** RFC 6962 section 2.1: a leaf begins with 0x00, so that no leaf can pass for a node. */
export function leafHash(entry: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(entry.length + 1)
  bytes.set(entry, 1)
  return hash('sha256', bytes, 'buffer')
}

const pair = new Uint8Array(1 + 2 * hashBytes)
pair[0] = 1

/** RFC 6962 section 2.1: a node begins with 0x01. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  pair.set(left, 1)
  pair.set(right, 1 + hashBytes)
  return hash('sha256', pair, 'buffer')
}

export function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
