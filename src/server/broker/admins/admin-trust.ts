import type { KeyObject } from 'node:crypto'
import type { JSONWebKeySet, JWK } from 'jose'
import { type Principal, parsePrincipal } from '#access/index.ts'
import { type BrokerServerLimits, brokerServerLimits, isFailure, parseJson } from '#base/index.ts'
import type { AdminConfiguration } from '#broker/index.ts'
import { type KeyAlgorithm, parsePublicKey } from '#keys/index.ts'
import { failure } from '../../codes.ts'

/** Someone who signs their tokens themselves. */
export interface AdminKey {
  readonly id: string
  readonly algorithm: KeyAlgorithm
  readonly key: KeyObject
  readonly principal: Principal
  readonly isKbsClient: boolean
}

/** An identity provider. */
export interface AdminIssuer {
  readonly issuer: string
  readonly audience: string
  readonly keys: JSONWebKeySet
  readonly groupsClaim: string
}

/** Whose tokens are taken. */
export interface AdminTrust {
  readonly keys: readonly AdminKey[]
  readonly issuers: readonly AdminIssuer[]
}

type Parts = Pick<AdminConfiguration, 'keys' | 'issuers'>

/** The files that `parseAdminTrust` wants, in its order. */
export const adminTrustPaths = ({ keys = [], issuers = [] }: Parts): readonly string[] => [
  ...keys.map(({ publicKey }) => publicKey),
  ...issuers.map(({ keys }) => keys),
]

/** @throws BROKER_ADMIN_KEYS_INVALID */
export function parseAdminTrust(
  { keys = [], issuers = [] }: Parts,
  contents: readonly Uint8Array[],
  limits: BrokerServerLimits = brokerServerLimits,
): AdminTrust {
  if (keys.length > limits.adminKeys || issuers.length > limits.issuers) {
    throw invalid(`there are more than ${limits.adminKeys} keys, or more than ${limits.issuers} issuers`)
  }
  const trust = {
    keys: keys.map(({ publicKey, principal, kbsClient = false }, at): AdminKey => {
      const { id, algorithm, key } = told(publicKey, () => parsePublicKey(contents[at]!))
      const who = told(principal, () => parsePrincipal(principal))
      if (who.kind === 'anonymous') throw invalid(`the key ${publicKey} is nobody's`)
      return { id, algorithm, key, principal: who, isKbsClient: kbsClient }
    }),
    issuers: issuers.map(({ issuer, audience, keys: path, groupsClaim = 'groups' }, at): AdminIssuer => {
      return { issuer, audience, groupsClaim, keys: told(path, () => jwkSet(contents[keys.length + at]!)) }
    }),
  }
  if (new Set(trust.keys.map(({ id }) => id)).size < keys.length) {
    throw invalid('a key is registered twice: it would be two people')
  }
  if (new Set(issuers.map(({ issuer }) => issuer)).size < issuers.length) {
    throw invalid('an issuer is there twice')
  }
  return trust
}

/** Only keys of which the private half is elsewhere: with a shared secret the broker could make tokens itself. */
function jwkSet(bytes: Uint8Array): JSONWebKeySet {
  const value = parseJson(bytes, { maxBytes: bytes.length }) as { keys?: unknown } | null
  const keys = Array.isArray(value?.keys) ? value.keys : []
  const usable = (keys as (JWK | null)[]).filter(
    (key) => key && /^(EC|OKP|RSA)$/.test(String(key.kty)),
  ) as JWK[]
  if (usable.length === 0 || usable.length > 64) throw invalid('it is no JWK set, or has no key of use')
  // A private half has no business here; it is not kept.
  return { keys: usable.map(({ d, p, q, dp, dq, qi, oth, ...key }) => key as JWK) }
}

function told<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    const why = isFailure(error) ? error.message : 'it cannot be read'
    throw invalid(`${what}: ${why}`)
  }
}

const invalid = (why: string) => failure('BROKER_ADMIN_KEYS_INVALID', why)
