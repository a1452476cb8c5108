import { createHash } from 'node:crypto'
import { canonicalJson, type Json } from '#base/index.ts'
import { formatNetwork, type IssuedRecord, type Lease, type Leases } from '../leases/index.ts'
import type { Caller, Plugin, PluginRequest, Reply } from '../types.ts'
import type { NebulaAuthority } from './authority.ts'
import { fingerprintOf, fingerprintsOf, type NebulaCertificate, nebulaPem } from './certificate.ts'
import { failure } from './codes.ts'
import { type CredentialRequest, parseCredentialRequest } from './credential-request.ts'
import { makeNodeKey, nodePrivateKeyPem } from './node-key.ts'
import { checkNodeKeyAttested, checkPossession } from './possession.ts'

export interface NebulaPluginTerms {
  readonly leases: Leases
  /**
   * The authority that issues now, and all whose certificates count: while one follows another both do, the new one
   * before it issues, the old one until its last certificate ends. Asked for with each request.
   */
  readonly authorities: () => {
    readonly issuing: NebulaAuthority
    readonly trusted: readonly NebulaCertificate[]
  }
  /** Who a caller is by what stays the same from one attestation to the next, or undefined for nobody. */
  readonly identity: (caller: Caller) => string | undefined
  /** The digest of a node key that the caller's evidence carries (`nodeKeyDigest`), where there is one. */
  readonly attestedKeyDigest?: (caller: Caller) => string | undefined
  /** How long a credential lasts where the request does not say, and at most. */
  readonly defaultMs: number
  readonly longestMs: number
  readonly random?: (bytes: number) => Uint8Array
}

/**
 * The plugin `nebula-ca`. `GET credential?name=...` gives the caller its credential, the same until half of its time is
 * over; `DELETE credential?name=...` gives name and address back and revokes it; `GET ca` and `GET blocklist` are for
 * everybody; `POST revoke?name=...` is for admins.
 */
export function nebulaPlugin(terms: NebulaPluginTerms): Plugin {
  return {
    name: 'nebula-ca',
    access({ method, path }) {
      const [first] = path
      if (method === 'GET' && path.length === 1 && (first === 'ca' || first === 'blocklist')) return 'public'
      return first === 'credential' ? 'attested' : 'admin'
    },
    encrypted: ({ method, path }) => method === 'GET' && path[0] === 'credential',
    async handle(request, at, signal) {
      const [first = '', ...more] = request.path
      const call = more.length === 0 ? `${request.method} ${first}` : ''
      if (call === 'GET credential') return await credential(terms, request, at, signal)
      if (call === 'DELETE credential') {
        const { name, ...others } = request.query
        if (!name || Object.keys(others).length > 0) throw invalid('only a name says which lease to release')
        await terms.leases.release(identityOf(terms, request.caller), name, at, signal)
        return json({ released: name }, true)
      }
      if (call === 'POST revoke') {
        if (request.caller.kind !== 'admin') throw failure('NEBULA_CALLER_REFUSED', 'only admins revoke')
        const name = request.query.name
        if (!name) throw invalid('there is no name')
        await terms.leases.revokeName(name, at, signal)
        return json({ revoked: name }, true)
      }
      if (call === 'GET ca') {
        const body = Buffer.from(terms.authorities().trusted.map(nebulaPem).join(''))
        return { mediaType: 'application/x-pem-file', body, noStore: false }
      }
      if (call === 'GET blocklist') {
        // As Nebula's configuration has it, of which JSON is a form.
        return json({ pki: { blocklist: await terms.leases.revocations.fingerprints(at, signal) } }, false)
      }
      throw invalid('there is nothing of this name here')
    },
  }
}

async function credential(
  terms: NebulaPluginTerms,
  request: PluginRequest,
  at: Date,
  signal: AbortSignal,
): Promise<Reply> {
  const { leases } = terms
  const { issuing, trusted } = terms.authorities()
  const holder = identityOf(terms, request.caller)
  const wanted = parseCredentialRequest(request.query)
  if (wanted.publicKey) proveKey(terms, issuing, wanted, request)
  const end = issuing.certificate.notAfter * 1000 - at.getTime() - 1000
  const durationMs = Math.min(wanted.durationMs ?? Math.min(terms.defaultMs, end), end)
  if (durationMs > terms.longestMs) throw invalid(`a credential lasts ${terms.longestMs / 1000} s at most`)
  if (durationMs < 1000) throw invalid('a credential of less than a second, or the authority has ended')
  const lease = await leases.claim(
    { holder, name: wanted.name, durationMs, ...addressIn(leases, wanted) },
    at,
    signal,
  )
  const made = await leases
    .issue(
      lease,
      requestDigest(wanted, lease, issuing),
      at,
      () => issue(terms, issuing, wanted, lease, at),
      // Made under the lease as it was before it was made longer: what is short of its end is made anew.
      ({ until }) => until - at.getTime() >= durationMs / 2,
      signal,
    )
    .catch(async (error: unknown) => {
      // What the authority may not issue must not hold a name and an address.
      await leases.abandon(lease, signal)
      throw error
    })
  const { certificate, key } = made.answer as { certificate: string; key: string | null }
  const caCertificates = trusted.map(nebulaPem).join('')
  return json(
    {
      node_crt: bytesOf(certificate),
      ...(key !== null && { node_key: bytesOf(key) }),
      ca_crt: bytesOf(caCertificates),
    },
    true,
  )
}

async function issue(
  { random }: NebulaPluginTerms,
  issuing: NebulaAuthority,
  wanted: CredentialRequest,
  lease: Lease,
  at: Date,
): Promise<Omit<IssuedRecord, 'request'>> {
  const made = wanted.publicKey ? undefined : makeNodeKey(issuing.certificate.curve, random)
  const certificate = await issuing.issue({
    ...(wanted.version && { version: wanted.version }),
    name: lease.name,
    networks: [lease.network],
    unsafeNetworks: wanted.unsafeNetworks,
    groups: wanted.groups,
    // Clocks of nodes differ a little; no certificate begins before its authority.
    notBefore: new Date(Math.max(at.getTime() - 60_000, issuing.certificate.notBefore * 1000)),
    notAfter: lease.until,
    publicKey: wanted.publicKey ?? made!.publicKey,
  })
  return {
    fingerprints: fingerprintsOf(certificate),
    until: certificate.notAfter * 1000,
    answer: { certificate: nebulaPem(certificate), key: made ? nodePrivateKeyPem(made) : null },
  }
}

/** The key that the guest brings is its own: reported by its TEE, or (P-256) by its signature. */
function proveKey(
  terms: NebulaPluginTerms,
  { certificate }: NebulaAuthority,
  { publicKey, signature }: CredentialRequest,
  { query, caller }: PluginRequest,
): void {
  if (!publicKey) return
  if (certificate.curve === 'P256' && signature && caller.kind === 'guest') {
    const { signature: _, ...signed } = query
    checkPossession(publicKey, signed, caller.teeKey, signature)
  } else checkNodeKeyAttested(certificate.curve, publicKey, terms.attestedKeyDigest?.(caller))
}

function identityOf({ identity }: NebulaPluginTerms, caller: Caller): string {
  const found = caller.kind === 'guest' || caller.kind === 'certificate' ? identity(caller) : undefined
  if (!found) throw failure('NEBULA_CALLER_REFUSED', 'the caller has no attested identity')
  return found
}

/** The address as the pool knows it; a length that is not the pool's would be another network. */
function addressIn({ pool: { range } }: Leases, { address }: CredentialRequest): { address?: bigint } {
  if (!address) return {}
  const isOfPool = address.family === range.family && (address.bits ?? range.bits) === range.bits
  if (!isOfPool) throw invalid(`the address is none of ${formatNetwork(range)}`)
  return { address: address.address }
}

/** What tells two requests under one lease apart. */
function requestDigest(wanted: CredentialRequest, lease: Lease, { certificate }: NebulaAuthority): string {
  const asked = {
    authority: fingerprintOf(certificate),
    version: wanted.version ?? certificate.version,
    network: formatNetwork(lease.network),
    groups: [...wanted.groups],
    unsafeNetworks: wanted.unsafeNetworks.map(formatNetwork),
    publicKey: wanted.publicKey ? Buffer.from(wanted.publicKey).toString('hex') : null,
  }
  return createHash('sha256').update(canonicalJson(asked)).digest('hex')
}

/** As Trustee's serde writes bytes. */
const bytesOf = (text: string): number[] => [...Buffer.from(text)]

const json = (value: Json, noStore: boolean): Reply => ({
  mediaType: 'application/json',
  body: Buffer.from(JSON.stringify(value)),
  noStore,
})

const invalid = (reason: string) => failure('NEBULA_REQUEST_INVALID', reason)
