import { createPublicKey, type JsonWebKeyInput, type KeyObject } from 'node:crypto'
import { type AttestationLimits, attestationLimits } from '#base/index.ts'
import { failure } from '../codes.ts'
import { isObject, type JsonObject, member, parseObject } from '../members.ts'
import { type TokenAlgorithm, tokenAlgorithm } from './algorithm.ts'
import { type SignerJwk, type TokenSigner, thumbprint } from './signer.ts'

/** A key that tokens are trusted under: with the one algorithm that goes with it. */
export interface TokenKey {
  readonly kid?: string
  readonly algorithm: TokenAlgorithm
  readonly key: KeyObject
  /** RFC 7638. */
  readonly thumbprint: string
}

/** The document that other services check tokens with: keys that sign now, and those that did until lately. */
export const formatJwkSet = (signers: readonly Pick<TokenSigner, 'jwk'>[]): Uint8Array => {
  const keys: readonly SignerJwk[] = signers.map(({ jwk }) => jwk)
  return Buffer.from(JSON.stringify({ keys }))
}

/**
 * The keys of a JWK set that can sign tokens; others are left out, as RFC 7517 section 5 has it.
 *
 * @throws TOKEN_KEY_INVALID for a document that is none, with more keys than the limit, or without one of use
 */
export function parseJwkSet(bytes: Uint8Array, limits: AttestationLimits = attestationLimits): TokenKey[] {
  const body = parseObject(bytes, 'the JWK set', 'TOKEN_KEY_INVALID', limits.jwkSetBytes, limits.depth)
  const keys = member(body, 'keys')
  if (!Array.isArray(keys)) throw failure('TOKEN_KEY_INVALID', 'the JWK set has no list "keys"')
  if (keys.length > limits.jwkSetKeys) {
    throw failure(
      'TOKEN_KEY_INVALID',
      `the JWK set has ${keys.length} keys, the limit is ${limits.jwkSetKeys}`,
    )
  }
  const read = keys.flatMap((jwk) => (isObject(jwk) ? (tokenKeyOf(jwk) ?? []) : []))
  if (read.length === 0) throw failure('TOKEN_KEY_INVALID', 'the JWK set has no key that can sign tokens')
  return read
}

/** A public key and its algorithm from a JWK; undefined where it is none of use. */
export function tokenKeyOf(jwk: JsonObject): TokenKey | undefined {
  if (jwk.use !== undefined && jwk.use !== 'sig') return undefined
  let key: KeyObject
  try {
    key = createPublicKey({ key: publicPart(jwk) as JsonWebKeyInput['key'], format: 'jwk' })
  } catch {
    return undefined
  }
  const algorithm = tokenAlgorithm(key, jwk.alg)
  if (!algorithm) return undefined
  const kid = typeof jwk.kid === 'string' ? { kid: jwk.kid } : {}
  return { ...kid, algorithm, key, thumbprint: thumbprint(key) }
}

/** Only what makes a public key: node:crypto reads `d` too where it stands there. */
const publicPart = ({ kty, crv, x, y, n, e }: JsonObject) => ({
  kty,
  ...(kty === 'RSA' ? { n, e } : kty === 'EC' ? { crv, x, y } : { crv, x }),
})
