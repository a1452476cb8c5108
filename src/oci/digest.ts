import { createHash, type Hash, hash } from 'node:crypto'
import { failure } from './codes.ts'

declare const digestBrand: unique symbol
/** A checked digest, `algorithm:hex` (image-spec descriptor.md, Digests). Minted only in this file. */
export type Digest = string & { readonly [digestBrand]: true }

export type DigestAlgorithm = 'sha256' | 'sha384' | 'sha512'

const hexLength: Readonly<Record<DigestAlgorithm, number>> = { sha256: 64, sha384: 96, sha512: 128 }
const grammar = /^(sha256|sha384|sha512):([0-9a-f]+)$/

/** @throws DIGEST_INVALID */
export function parseDigest(text: string): Digest {
  if (!isDigest(text)) throw failure('DIGEST_INVALID', `not a supported digest: ${shorten(text)}`)
  return text
}

export function isDigest(text: unknown): text is Digest {
  if (typeof text !== 'string' || text.length > 140) return false
  const match = grammar.exec(text)
  return match !== null && match[2]!.length === hexLength[match[1] as DigestAlgorithm]
}

export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.slice(0, 6) as DigestAlgorithm
}

/** The hexadecimal part. */
export function digestHex(digest: Digest): string {
  return digest.slice(7)
}

export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return `${algorithm}:${hash(algorithm, bytes, 'hex')}` as Digest
}

/** A digest in the making: `update` as the bytes pass, `finish` once. */
export class Digester {
  readonly #algorithm: DigestAlgorithm
  readonly #hash: Hash
  constructor(algorithm: DigestAlgorithm = 'sha256') {
    this.#algorithm = algorithm
    this.#hash = createHash(algorithm)
  }
  update(bytes: Uint8Array): void {
    this.#hash.update(bytes)
  }
  finish(): Digest {
    return `${this.#algorithm}:${this.#hash.digest('hex')}` as Digest
  }
}

function shorten(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)
}
