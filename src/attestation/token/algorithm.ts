import { constants, type KeyObject, verify } from 'node:crypto'
import type { Json } from '#base/index.ts'

/** Algorithms of tokens (RFC 7518 section 3.1, RFC 8037). None of them is symmetric, and `none` is none. */
export type TokenAlgorithm = 'ES256' | 'ES384' | 'ES512' | 'EdDSA' | 'RS256' | 'RS384' | 'PS256' | 'PS384'

const curves: Readonly<Record<string, TokenAlgorithm>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
}

const rsaAlgorithms: readonly TokenAlgorithm[] = ['RS256', 'RS384', 'PS256', 'PS384']
const hashes = { '256': 'sha256', '384': 'sha384', '512': 'sha512' } as const

/**
 * The one algorithm that a key is for. That of an RSA key is said beside it, RS256 where nothing is; what a token's
 * header says never decides.
 */
export function tokenAlgorithm(key: KeyObject, said: Json | undefined): TokenAlgorithm | undefined {
  const { namedCurve = '', modulusLength = 0 } = key.asymmetricKeyDetails ?? {}
  switch (key.asymmetricKeyType) {
    case 'ec':
      return agreed(Object.hasOwn(curves, namedCurve) ? curves[namedCurve] : undefined, said)
    case 'ed25519':
      return agreed('EdDSA', said)
    case 'rsa':
      if (modulusLength < 2048 || modulusLength > 8192) return undefined
      return said === undefined ? 'RS256' : rsaAlgorithms.find((algorithm) => algorithm === said)
    default:
      return undefined
  }
}

const agreed = (algorithm: TokenAlgorithm | undefined, said: Json | undefined) =>
  said === undefined || said === algorithm ? algorithm : undefined

/** Whether a signature in JOSE's form is good. */
export function isSignedBy(
  algorithm: TokenAlgorithm,
  key: KeyObject,
  bytes: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (algorithm === 'EdDSA') return verify(null, bytes, key, signature)
  const hash = hashes[algorithm.slice(2) as keyof typeof hashes]
  if (algorithm.startsWith('ES')) {
    return verify(hash, bytes, { key, dsaEncoding: 'ieee-p1363' }, signature)
  }
  if (algorithm.startsWith('RS')) return verify(hash, bytes, key, signature)
  const padding = constants.RSA_PKCS1_PSS_PADDING
  return verify(hash, bytes, { key, padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }, signature)
}
