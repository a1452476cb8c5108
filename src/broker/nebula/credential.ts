import { createHash } from 'node:crypto'
import { canonicalJson, type Json } from '#base/index.ts'
import { formatAddress, formatNetwork, type IssuedRecord, type Lease } from '../leases/index.ts'
import type { Caller, Claims, PluginRequest } from '../types.ts'
import type { AuthoritySet } from './authorities.ts'
import type { NebulaAuthority } from './authority.ts'
import { fingerprintOf, fingerprintsOf, nebulaPem } from './certificate.ts'
import { failure } from './codes.ts'
import { type CredentialRequest, parseCredentialRequest } from './credential-request.ts'
import { makeNodeKey, nodePrivateKeyPem } from './node-key.ts'
import type { NebulaPluginTerms } from './plugin.ts'
import { checkAgreement, checkNodeKeyAttested, checkPossession, possessionStatement } from './possession.ts'

/** A request for a credential, as far as it can be judged by itself. */
export interface Wanted extends CredentialRequest {
  /** Who asks. */
  readonly holder: string
  /** As asked for, or the default. */
  readonly durationMs: number
}

/** No certificate begins before its authority; clocks of nodes differ a little from ours. */
const backdateMs = 60_000

/** @throws NEBULA_REQUEST_INVALID, NEBULA_CALLER_REFUSED */
export function wantedBy({ query, caller }: PluginRequest, terms: NebulaPluginTerms): Wanted {
  const wanted = parseCredentialRequest(query)
  const { pool } = terms.leases
  const { address, durationMs = terms.defaultMs } = wanted
  if (address) {
    const { family, bits } = pool.range
    // A length that is not the pool's would be another network.
    if (address.family !== family || (address.bits ?? bits) !== bits || !pool.has(address.address))
      throw invalid(`the address is none of those of ${formatNetwork(pool.range)} that are given`)
  }
  if (durationMs > terms.longestMs) throw invalid(`a credential lasts ${terms.longestMs / 1000} s at most`)
  if (durationMs < 1000) throw invalid('a credential lasts a second at least')
  return { ...wanted, durationMs, holder: identityOf(terms, caller) }
}

/** What a policy sees of it: in one spelling, whatever the query's was. */
export const told = (wanted: Wanted): Claims => ({
  name: wanted.name,
  address: wanted.address ? formatAddress(wanted.address) : null,
  groups: [...wanted.groups],
  unsafeNetworks: wanted.unsafeNetworks.map(formatNetwork),
  durationSeconds: wanted.durationMs / 1000,
  ownKey: wanted.publicKey !== undefined,
  identity: wanted.holder,
})

/** The identity of who asks. @throws NEBULA_CALLER_REFUSED */
export function identityOf({ identity }: NebulaPluginTerms, caller: Caller): string {
  const found = caller.kind === 'guest' || caller.kind === 'certificate' ? identity(caller) : undefined
  if (!found) throw failure('NEBULA_CALLER_REFUSED', 'the caller has no attested identity')
  return found
}

/** The caller's credential: what was made for the same request before, while half of its time is left. */
export async function credential(
  terms: NebulaPluginTerms,
  request: PluginRequest,
  at: Date,
  signal: AbortSignal,
): Promise<{ certificate: string; key?: string; authorities: AuthoritySet }> {
  const { leases } = terms
  const wanted = wantedBy(request, terms)
  const authorities = await terms.authorities(at, signal)
  const { issuing } = authorities
  if (wanted.publicKey) proveKey(terms, authorities, wanted, request)
  const durationMs = Math.min(wanted.durationMs, issuing.certificate.notAfter * 1000 - at.getTime() - 1000)
  if (durationMs < 1000) throw failure('NEBULA_TERMS_INVALID', 'the authority has ended')
  const { holder, name, address } = wanted
  const asked = { holder, name, durationMs, ...(address && { address: address.address }) }
  const lease = await leases.claim(asked, at, signal)
  const made = await leases
    .issue(
      lease,
      requestDigest(wanted, lease, issuing),
      at,
      () => issue(terms, issuing, wanted, lease, at),
      ({ until, answer }) => isFresh({ until, answer }, at, durationMs),
      signal,
    )
    .catch(async (error: unknown) => {
      // What the authority may not issue must not hold a name and an address; nor what nobody waits for any longer.
      await leases.abandon(lease).catch(() => {})
      throw error
    })
  const { certificate, key } = made.answer as unknown as Answer
  return { certificate, ...(key !== null && { key }), authorities }
}

/** What is kept of an issued credential, to be given again. */
interface Answer {
  readonly certificate: string
  /** null where the guest has it alone. */
  readonly key: string | null
  /** When the certificate begins, in milliseconds since 1970. */
  readonly from: number
}

/**
 * Made under the lease as it was before it was made longer: what is short of its end is made anew. So is what was made
 * by a clock that was ahead, and has not begun.
 */
function isFresh({ until, answer }: Pick<IssuedRecord, 'until' | 'answer'>, at: Date, durationMs: number) {
  const { from } = answer as unknown as Answer
  return until - at.getTime() >= durationMs / 2 && from <= at.getTime()
}

async function issue(
  { random, longestMs }: NebulaPluginTerms,
  issuing: NebulaAuthority,
  wanted: Wanted,
  lease: Lease,
  at: Date,
): Promise<Omit<IssuedRecord, 'request'>> {
  const made = wanted.publicKey ? undefined : makeNodeKey(issuing.certificate.curve, random)
  const { notBefore, notAfter } = issuing.certificate
  // The lease may be from before a rotation, or from a clock that was ahead.
  const end = Math.min(lease.until.getTime(), notAfter * 1000 - 1000, at.getTime() + longestMs)
  const certificate = await issuing.issue({
    ...(wanted.version && { version: wanted.version }),
    name: lease.name,
    networks: [lease.network],
    unsafeNetworks: wanted.unsafeNetworks,
    groups: wanted.groups,
    notBefore: new Date(Math.max(at.getTime() - backdateMs, notBefore * 1000)),
    notAfter: new Date(end),
    publicKey: wanted.publicKey ?? made!.publicKey,
  })
  const answer = {
    certificate: nebulaPem(certificate),
    key: made ? nodePrivateKeyPem(made) : null,
    from: certificate.notBefore * 1000,
  } satisfies Answer
  return { fingerprints: fingerprintsOf(certificate), until: certificate.notAfter * 1000, answer }
}

/** The key that the guest brings is its own: shown with the key itself for this session, or reported by its TEE. */
function proveKey(
  terms: NebulaPluginTerms,
  { issuing, possession }: AuthoritySet,
  { publicKey, signature }: CredentialRequest,
  { query, caller }: PluginRequest,
): void {
  if (!publicKey) return
  const { curve } = issuing.certificate
  if (!signature) {
    checkNodeKeyAttested(curve, publicKey, terms.attestedKeyDigest?.(caller))
    return
  }
  const { signature: _, ...signed } = query
  // Who comes with a certificate has no session; its proof is for no other certificate's holder.
  const session = caller.kind === 'guest' ? caller.teeKey : { identity: terms.identity(caller) ?? null }
  const statement = possessionStatement(publicKey, signed, session)
  if (curve === 'P256') checkPossession(publicKey, statement, signature)
  else checkAgreement(possession, publicKey, statement, signature)
}

/** What tells two requests under one lease apart. */
function requestDigest(wanted: CredentialRequest, lease: Lease, { certificate }: NebulaAuthority): string {
  const asked: Json = {
    authority: fingerprintOf(certificate),
    version: wanted.version ?? certificate.version,
    network: formatNetwork(lease.network),
    groups: [...wanted.groups],
    unsafeNetworks: wanted.unsafeNetworks.map(formatNetwork),
    publicKey: wanted.publicKey ? Buffer.from(wanted.publicKey).toString('hex') : null,
  }
  return createHash('sha256').update(canonicalJson(asked)).digest('hex')
}

const invalid = (reason: string) => failure('NEBULA_REQUEST_INVALID', reason)
