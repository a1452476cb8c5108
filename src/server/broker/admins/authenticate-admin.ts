import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, type JWTPayload, jwtVerify } from 'jose'
import { type Principal, parsePrincipal } from '#access/index.ts'
import { type BrokerServerLimits, brokerServerLimits, type Json, jsonAt } from '#base/index.ts'
import type { KeyAlgorithm } from '#keys/index.ts'
import { failure } from '../../codes.ts'
import type { Connection } from '../connection.ts'
import { bearerOf } from '../session-cookie.ts'
import type { AdminIssuer, AdminKey, AdminTrust } from './admin-trust.ts'
import { certificatePrincipal } from './certificate-identity.ts'

/**
 * Who sent a request, by the first proof that is there: a bearer token, or the client certificate of the connection.
 *
 * @throws BROKER_ADMIN_UNKNOWN: its message says why, for the log alone
 */
export type AuthenticateAdmin = (
  authorization: string | undefined,
  connection: Connection,
) => Promise<Principal>

export interface AdminAuthenticationOptions {
  readonly trust: () => AdminTrust
  /** What tokens may be for (`aud`): the broker's names. */
  readonly audiences: () => Iterable<string>
  /** Whether client certificates that the listener's authority issued count. */
  readonly certificates: boolean
  readonly now?: () => Date
  readonly limits?: BrokerServerLimits
}

/** The algorithms of JOSE that go with a key: a token's header chooses among these, and no others. */
const algorithmsOf: Readonly<Record<KeyAlgorithm, readonly string[]>> = {
  ed25519: ['EdDSA', 'Ed25519'],
  'ecdsa-p256': ['ES256'],
  'ecdsa-p384': ['ES384'],
  'ecdsa-p521': ['ES512'],
  rsa: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
}
const algorithms = Object.values(algorithmsOf).flat()

/** How far clocks may differ, in seconds, for when a token begins; its end is taken at its word. */
const skew = 60

export function adminAuthentication(options: AdminAuthenticationOptions): AuthenticateAdmin {
  const { certificates, now = () => new Date(), limits = brokerServerLimits } = options
  return async (authorization, connection) => {
    const at = now()
    if (authorization !== undefined) {
      const token = bearerOf(authorization)
      if (token === undefined || token.length > limits.tokenLength) throw unknown('there is no bearer token')
      return tokenPrincipal(token, options, at, limits)
    }
    const { certificate, authorized } = connection
    if (!certificates || !certificate) throw unknown('there is neither a bearer token nor a certificate')
    if (!authorized) throw unknown('the certificate is of none of the authorities for admins')
    if (certificate.validToDate <= at) throw unknown('the certificate has ended')
    const principal = certificatePrincipal(certificate)
    if (!principal) throw unknown('the certificate does not name one SPIFFE ID, or else one common name')
    return principal
  }
}

async function tokenPrincipal(
  token: string,
  { trust, audiences }: AdminAuthenticationOptions,
  at: Date,
  limits: BrokerServerLimits,
): Promise<Principal> {
  const { iss, kid, alg } = peek(token)
  const { keys, issuers } = trust()
  const issuer = issuers.find((known) => known.issuer === iss)
  if (issuer) return issuedPrincipal(token, issuer, at, limits)
  const candidates = keys.filter(
    ({ id, algorithm }) => (kid === undefined || kid === id) && algorithmsOf[algorithm].includes(alg),
  )
  let why = 'no registered key is the one that it names'
  for (const key of candidates) {
    try {
      return await ownPrincipal(token, key, [...audiences()], at, limits)
    } catch (error) {
      why = reasonOf(error)
    }
  }
  throw unknown(`the token is not taken: ${why}`)
}

/** What a token says before anything is verified: only which key to verify it with. */
function peek(token: string): { readonly iss: unknown; readonly kid: unknown; readonly alg: string } {
  try {
    const { kid, alg } = decodeProtectedHeader(token)
    return { iss: decodeJwt(token).iss, kid, alg: String(alg) }
  } catch {
    throw unknown('the bearer token is no JWT')
  }
}

/** Of somebody who signs themselves. */
async function ownPrincipal(
  token: string,
  { key, algorithm, principal, isKbsClient }: AdminKey,
  audiences: string[],
  at: Date,
  limits: BrokerServerLimits,
): Promise<Principal> {
  // Trustee's kbs-client names no audience; what does name one is for nobody else all the same.
  const isOpen = isKbsClient && decodeJwt(token).aud === undefined
  const { payload } = await jwtVerify(token, key, {
    algorithms: [...algorithmsOf[algorithm]],
    clockTolerance: skew,
    currentDate: at,
    ...(!isOpen && { audience: audiences }),
  })
  const longest = isKbsClient ? limits.kbsClientTokenSeconds : limits.adminTokenSeconds
  checkTimes(payload, at, longest)
  const name = `${principal.kind}:${principal.name}`
  if (payload.sub !== undefined && payload.sub !== name) throw unknown('its "sub" is not whose key it is')
  return principal
}

/** Of an identity provider. */
async function issuedPrincipal(
  token: string,
  { issuer, audience, keys, groupsClaim }: AdminIssuer,
  at: Date,
  limits: BrokerServerLimits,
): Promise<Principal> {
  try {
    const { payload } = await jwtVerify(token, createLocalJWKSet(keys), {
      algorithms,
      issuer,
      audience,
      clockTolerance: skew,
      currentDate: at,
    })
    checkTimes(payload, at)
    if (typeof payload.sub !== 'string') throw unknown('it has no "sub"')
    const groups = new Set([...textsOf(claimOf(payload, groupsClaim)), ...textsOf(claimOf(payload, 'role'))])
    if (groups.size > limits.groups) throw unknown(`it has more than ${limits.groups} groups`)
    return parsePrincipal(`user:${payload.sub}`, [...groups])
  } catch (error) {
    throw unknown(`the token of the identity provider is not taken: ${reasonOf(error)}`)
  }
}

/** @param longest seconds that the token may still last */
function checkTimes({ exp, iat }: JWTPayload, at: Date, longest = Number.POSITIVE_INFINITY): void {
  const now = at.getTime() / 1000
  if (exp === undefined) throw unknown('it does not say when it ends')
  if (exp <= now) throw unknown('it has ended')
  if (exp > now + longest + skew) throw unknown(`it lasts longer than ${longest} seconds`)
  if (iat !== undefined && iat > now + skew) throw unknown('it was issued in the future')
}

/** A member by its name, or by a JSON pointer, as some providers nest theirs. */
const claimOf = (payload: JWTPayload, name: string): unknown =>
  name.startsWith('/')
    ? jsonAt(payload as Json, name)
    : Object.hasOwn(payload, name)
      ? payload[name]
      : undefined

/** One text or a list of them; anything else is no group. */
const textsOf = (value: unknown): string[] =>
  (Array.isArray(value) ? value : [value]).filter((text): text is string => typeof text === 'string')

/** What jose or we say of it: neither puts what the token holds into its messages. */
const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : 'it cannot be read')

const unknown = (why: string) => failure('BROKER_ADMIN_UNKNOWN', why)
