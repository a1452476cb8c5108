import { type PkiLimits, pkiLimits } from '#base/index.ts'
import { type CertificateRequest, type PublicKey, parseCertificateRequest } from '#keys/index.ts'
import type { Claims, IdentityOf, PluginRequest } from '../types.ts'
import { identityLabel, spiffeId } from './caller-names.ts'
import { failure } from './codes.ts'
import { parseHostAddress, parseHostName } from './name-patterns.ts'
import type { Profile } from './profiles.ts'

/** What a request for a certificate asks for: all of it permitted by the profile, none of it by a policy yet. */
export interface Wish {
  readonly profile: Profile
  readonly identity: string
  /** Where the profile has one. */
  readonly spiffe?: string
  /** Sorted, each once, as they will stand in the certificate. */
  readonly dns: readonly string[]
  readonly ip: readonly string[]
  readonly lifeMs: number
  /** The guest's own, whose possession it proved; absent where the key is to be made here. */
  readonly publicKey?: PublicKey
}

export interface WishTerms {
  readonly trustDomain: string
  readonly profiles: ReadonlyMap<string, Profile>
  readonly identity: IdentityOf
  readonly limits?: PkiLimits
}

const known = ['profile', 'dns', 'ip', 'hours']

/**
 * Reads `GET certificate?profile=...` and `POST certificate?profile=...` with a certificate request. Names stand in
 * the query (lists with commas, in which `{identity}` is the caller's label) and in the request; of the request only
 * alternative names and key count, never its subject: a common name is no way to get a name past a profile.
 *
 * @throws PKI_REQUEST_INVALID, PKI_NAME_REFUSED, PKI_CALLER_REFUSED, CERTIFICATE_REQUEST_INVALID, KEY_TYPE_REFUSED
 */
export function readWish(terms: WishTerms, request: PluginRequest): Wish {
  const { trustDomain, limits = pkiLimits } = terms
  const { query, method, body } = request
  const other = Object.keys(query).find((name) => !known.includes(name))
  if (other !== undefined) throw invalid(`a parameter of the query is none of ${known.join(', ')}`)
  const identity = attestedIdentity(terms, request, limits)
  const profile = terms.profiles.get(query.profile ?? '')
  if (!profile) throw invalid('the query names no profile that there is')
  const spiffe = spiffeId(trustDomain, identity)
  const asked = method === 'POST' ? parseOnce(body, limits) : undefined
  if (asked) refuseOthers(asked, profile.spiffe ? spiffe : undefined)
  const expanded = (list: string | undefined) => listOf(list, identity, limits)
  const dns = sorted([...expanded(query.dns), ...(asked?.dnsNames ?? [])].map(parseHostName))
  const ip = sorted([...expanded(query.ip), ...(asked?.ipAddresses ?? [])].map(parseHostAddress))
  if (dns.length + ip.length > limits.names) throw invalid(`more than ${limits.names} names are asked for`)
  const refused = [
    ...dns.filter((name) => !profile.permitsHost(name, identity)),
    ...ip.filter((address) => !profile.permitsAddress(address)),
  ]
  if (refused.length > 0) {
    throw failure('PKI_NAME_REFUSED', `the profile ${profile.name} does not permit ${refused.join(', ')}`)
  }
  if (profile.usages.includes('server') && dns.length + ip.length === 0) {
    throw invalid('a server needs a DNS name or an IP address: dns or ip is missing')
  }
  if (!profile.spiffe && dns.length + ip.length === 0) throw invalid('the certificate would be for nobody')
  return {
    profile,
    identity,
    ...(profile.spiffe && { spiffe }),
    dns,
    ip,
    lifeMs: lifeOf(query.hours, profile, limits),
    ...(asked && { publicKey: asked.publicKey }),
  }
}

/**
 * What a policy is given: in `data.query` all names, whether they stood in the query or in the body, so that a rule over
 * the query holds for both; and in `data.request.pki` the same, taken apart.
 */
export function wishData(wish: Wish, request: Pick<PluginRequest, 'path' | 'query' | 'method'>): Claims {
  const { profile, identity, spiffe, dns, ip, lifeMs, publicKey } = wish
  const query: Record<string, string> = { ...request.query }
  if (dns.length > 0) query.dns = dns.join(',')
  if (ip.length > 0) query.ip = ip.join(',')
  const key = publicKey ? publicKey.algorithm : 'made-here'
  return {
    plugin: 'pki',
    'resource-path': [...request.path],
    query,
    pki: {
      profile: profile.name,
      identity,
      spiffe: spiffe ?? null,
      dns: [...dns],
      ip: [...ip],
      seconds: lifeMs / 1000,
      usages: [...profile.usages],
      key,
      'key-id': publicKey?.id ?? null,
    },
  }
}

/** Certificates are for who attests: with one alone there is no other, or a guest would need to attest but once. */
function attestedIdentity({ identity }: WishTerms, { caller }: PluginRequest, limits: PkiLimits): string {
  const found = caller.kind === 'guest' ? identity(caller) : undefined
  if (!found) throw failure('PKI_CALLER_REFUSED', 'the caller has no attested identity')
  if (found.length > limits.identityLength || !found.isWellFormed()) {
    throw failure('PKI_CALLER_REFUSED', `the identity of the caller is longer than ${limits.identityLength}`)
  }
  return found
}

// The policy is asked with the same bytes as the plugin, a moment before it: one check of the signature does for both.
const parsed = new WeakMap<Uint8Array, CertificateRequest>()

function parseOnce(body: Uint8Array, limits: PkiLimits): CertificateRequest {
  const before = parsed.get(body)
  if (before) return before
  const request = parseCertificateRequest(body, limits.requestBytes)
  parsed.set(body, request)
  return request
}

function refuseOthers({ uris, emails }: CertificateRequest, spiffe: string | undefined): void {
  const other = [...uris.filter((uri) => uri !== spiffe), ...emails]
  if (other.length === 0) return
  throw failure(
    'PKI_NAME_REFUSED',
    `no profile permits ${other.map((name) => name.slice(0, 256)).join(', ')}`,
  )
}

function listOf(text: string | undefined, identity: string, { namesLength }: PkiLimits): string[] {
  if (text === undefined || text === '') return []
  if (text.length > namesLength) throw invalid(`a list of names has more than ${namesLength} characters`)
  return text.split(',').map((name) => name.trim().replaceAll('{identity}', identityLabel(identity)))
}

function lifeOf(hours: string | undefined, profile: Profile, { shortestMs }: PkiLimits): number {
  if (hours === undefined) return profile.defaultMs
  const ms = /^\d{1,5}(\.\d{1,3})?$/.test(hours) ? Math.floor(Number(hours) * 3600) * 1000 : Number.NaN
  if (ms >= shortestMs && ms <= profile.longestMs) return ms
  throw invalid(
    `hours is a number from ${shortestMs / 3_600_000} to ${profile.longestMs / 3_600_000} for ${profile.name}`,
  )
}

const sorted = (names: readonly string[]): string[] => [...new Set(names)].sort()

const invalid = (why: string) => failure('PKI_REQUEST_INVALID', why)
