import type { X509Certificate } from 'node:crypto'
import { type AttestationLimits, attestationLimits, isFailure } from '#base/index.ts'
import { fromBase64Url } from '../base64.ts'
import { failure } from '../codes.ts'
import { isObject, type JsonObject, member, parseObject } from '../members.ts'
import { isSignedBy } from './algorithm.ts'
import { trustedLeaf } from './certificate-chain.ts'
import { type TokenKey, tokenKeyOf } from './jwk-set.ts'
import { thumbprint } from './signer.ts'

/** Under what tokens are taken: nothing is trusted by itself, least of all a key in a token's own header. */
export interface TokenTrust {
  readonly keys?: readonly TokenKey[]
  /** A key in the header counts where its `x5c` leads to one of these. */
  readonly certificates?: readonly X509Certificate[]
  /** Required values of `iss` and `eat_profile`. */
  readonly issuer?: string
  readonly profile?: string
  /** For tokens whose key is not known above: the first of these that knows it counts, with its own issuer. */
  readonly others?: readonly Omit<TokenTrust, 'others'>[]
}

export interface VerifiedToken {
  readonly claims: JsonObject
  readonly expires: Date
}

/** How far clocks may differ for `nbf` and `iat`; `exp` is taken at its word. */
const skewSeconds = 60

/**
 * The claims of a token that a trusted key signed and that is valid at this time. The algorithm is that of the
 * trusted key; the header's has to be the same.
 *
 * @throws TOKEN_INVALID, TOKEN_UNTRUSTED, TOKEN_EXPIRED
 */
export function verifyToken(
  token: string,
  trust: TokenTrust,
  at: Date,
  limits: AttestationLimits = attestationLimits,
): VerifiedToken {
  const { header, payload, signed, signature } = split(token, limits)
  const { key, algorithm, terms } = trustedKey(header, trust, at, limits)
  if (header.alg !== algorithm) throw invalid(`its algorithm is not ${algorithm}, that of its key`)
  if (!isSignedBy(algorithm, key, signed, signature)) throw invalid('its signature is not good')
  const claims = parseObject(payload, 'the token', 'TOKEN_INVALID', limits.tokenLength)
  return { claims, expires: checkClaims(claims, terms, at) }
}

function split(token: string, limits: AttestationLimits) {
  if (token.length > limits.tokenLength) {
    throw invalid(`it has ${token.length} characters, the limit is ${limits.tokenLength}`)
  }
  const parts = token.split('.', 4)
  const [header, payload, signature] = parts.map(fromBase64Url)
  if (parts.length !== 3 || !header || !payload || !signature) {
    throw invalid('it is not three parts of base64url')
  }
  return {
    header: parseObject(header, 'the header of the token', 'TOKEN_INVALID', limits.tokenLength),
    payload,
    signed: Buffer.from(token.slice(0, token.lastIndexOf('.'))),
    signature,
  }
}

/** The key, and the terms of whoever is trusted for it. */
function trustedKey(header: JsonObject, trust: TokenTrust, at: Date, limits: AttestationLimits) {
  let refused: unknown
  for (const terms of [trust, ...(trust.others ?? [])]) {
    try {
      return { ...signingKey(header, terms, at, limits), terms }
    } catch (error) {
      if (!isFailure(error, 'TOKEN_UNTRUSTED')) throw error
      refused ??= error
    }
  }
  throw refused
}

/** A trusted key by its `kid`; or the header's own key where it is one of the trusted ones, or has a trusted chain. */
function signingKey(header: JsonObject, trust: TokenTrust, at: Date, limits: AttestationLimits): TokenKey {
  // Nothing that a header calls critical is understood here (RFC 7515 section 4.1.11).
  if (member(header, 'crit') !== undefined) throw invalid('its header has critical members')
  const { keys = [], certificates = [] } = trust
  const kid = member(header, 'kid')
  const named = typeof kid === 'string' ? keys.find((key) => (key.kid ?? key.thumbprint) === kid) : undefined
  if (named) return named
  const jwk = member(header, 'jwk')
  if (!isObject(jwk)) throw failure('TOKEN_UNTRUSTED', 'the token names no key that is trusted here')
  const own = tokenKeyOf(jwk)
  if (!own) throw invalid('the key in its header cannot sign tokens')
  const same = keys.find((key) => key.thumbprint === own.thumbprint)
  if (same) return same
  const chain = member(jwk, 'x5c')
  if (chain === undefined) {
    throw failure('TOKEN_UNTRUSTED', 'the key in the header of the token is not trusted, and has no chain')
  }
  const leaf = trustedLeaf(chain, certificates, at, limits)
  if (thumbprint(leaf.publicKey) !== own.thumbprint) {
    throw failure('TOKEN_UNTRUSTED', 'the chain in the header of the token is over another key')
  }
  return own
}

function checkClaims(claims: JsonObject, { issuer, profile }: TokenTrust, at: Date): Date {
  const now = at.getTime() / 1000
  const exp = seconds(claims, 'exp')
  if (exp === undefined) throw invalid('it does not say when it ends')
  if (now >= exp) throw failure('TOKEN_EXPIRED', `the token ended at ${new Date(exp * 1000).toISOString()}`)
  for (const name of ['nbf', 'iat']) {
    const start = seconds(claims, name)
    if (start !== undefined && start > now + skewSeconds) {
      throw failure('TOKEN_EXPIRED', `"${name}" of the token lies in the future`)
    }
  }
  if (issuer !== undefined && claims.iss !== issuer) {
    throw failure('TOKEN_UNTRUSTED', 'the token is from another issuer')
  }
  if (profile !== undefined && claims.eat_profile !== profile) throw invalid('it has another profile')
  return new Date(exp * 1000)
}

/** RFC 7519 NumericDate, within what a Date can hold. */
function seconds(claims: JsonObject, name: string): number | undefined {
  const value = member(claims, name)
  if (value === undefined) return undefined
  if (typeof value !== 'number' || value < 0 || value > 8_640_000_000_000) {
    throw invalid(`"${name}" is not a time`)
  }
  return value
}

const invalid = (why: string) => failure('TOKEN_INVALID', `the token is not taken: ${why}`)
