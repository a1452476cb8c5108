import { type AttestationLimits, attestationLimits, isFailure } from '#base/index.ts'
import { isObject, type JsonObject, member } from '../members.ts'
import { type TokenTrust, type VerifiedToken, verifyToken } from './verify.ts'

export interface AttestationGuardOptions {
  /**
   * Whose tokens count. A function (`remoteKeys`) is asked for each request, and once more with true where the key of a
   * token is not known: keys of an issuer change.
   */
  readonly trust: TokenTrust | ((isUnknown: boolean) => TokenTrust | Promise<TokenTrust>)
  /**
   * What a token has to say beyond being good; false is 403. Default: every TEE that it tells of was affirmed, and
   * there is one.
   */
  readonly require?: (claims: JsonObject) => boolean
  readonly now?: () => Date
  readonly limits?: AttestationLimits
}

/** A request of `fetch`, or one of `node:http`. */
export interface Guardable {
  readonly headers: Headers | { readonly authorization?: string | undefined }
}

/** Verified claims, or what to answer instead. */
export type Guarded =
  | (VerifiedToken & { readonly refusal?: undefined })
  | { readonly refusal: GuardRefusal; readonly claims?: undefined }

/** An answer as `node:http` and `fetch` both take it. */
export interface GuardRefusal {
  readonly status: 401 | 403 | 503
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Why, for the log: `TOKEN_EXPIRED`. The answer itself does not say it. */
  readonly code: string
}

/**
 * Guards a service by attestation tokens: takes a request with `Authorization: Bearer TOKEN` and gives the claims, or
 * an answer with 401 (no token, or none that counts), 403 (attested, but not as required) or 503 (the keys cannot be
 * had).
 *
 * A bearer token is whoever's who has it: serve over TLS, or bind the answer to the TEE's key (`teeKeyClaim`).
 */
export function attestationGuard(options: AttestationGuardOptions): (request: Guardable) => Promise<Guarded> {
  const { trust, require = isAffirmed, now = () => new Date(), limits = attestationLimits } = options
  return async ({ headers }) => {
    const authorization = headers instanceof Headers ? headers.get('authorization') : headers.authorization
    // The scheme's name is in any case (RFC 9110 section 11.1).
    const [scheme = '', token = '', ...more] = (authorization ?? '').split(' ', 3)
    if (scheme.toLowerCase() !== 'bearer' || token === '' || more.length > 0)
      return refused(401, 'TOKEN_INVALID', 'Bearer')
    let verified: VerifiedToken
    try {
      verified = await verifiedUnder(trust, (trusted) => verifyToken(token, trusted, now(), limits))
    } catch (error) {
      if (!isFailure(error)) throw error
      if (error.code === 'TOKEN_KEYS_UNAVAILABLE') return refused(503, error.code)
      return refused(401, error.code, 'Bearer error="invalid_token"')
    }
    if (!require(verified.claims))
      return refused(403, 'TOKEN_INSUFFICIENT', 'Bearer error="insufficient_scope"')
    return verified
  }
}

async function verifiedUnder(
  trust: AttestationGuardOptions['trust'],
  verify: (trusted: TokenTrust) => VerifiedToken,
): Promise<VerifiedToken> {
  if (typeof trust !== 'function') return verify(trust)
  const known = await trust(false)
  try {
    return verify(known)
  } catch (error) {
    if (!isFailure(error, 'TOKEN_UNTRUSTED')) throw error
    const others = await trust(true)
    if (others === known) throw error
    return verify(others)
  }
}

const told = {
  401: 'an attestation token is needed',
  403: 'this is not for what was attested',
  503: 'tokens cannot be checked now',
} as const

/** RFC 6750 section 3. */
function refused(status: GuardRefusal['status'], code: string, challenge?: string): Guarded {
  const headers = {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    ...(challenge === undefined ? { 'retry-after': '10' } : { 'www-authenticate': challenge }),
  }
  return { refusal: { status, headers, body: JSON.stringify({ error: told[status] }), code } }
}

/** Whether each TEE that a token tells of was affirmed, and there is one. */
function isAffirmed(claims: JsonObject): boolean {
  const submods = member(claims, 'submods')
  if (!isObject(submods)) return false
  const all = Object.values(submods)
  return (
    all.length > 0 && all.every((submod) => isObject(submod) && member(submod, 'ear.status') === 'affirming')
  )
}
