import type { Json } from '#base/index.ts'
import { formatPem } from '#keys/index.ts'
import type { Plugin, PluginRequest, Reply } from '../types.ts'
import type { Authorities, AuthoritySet, TrustedAuthority } from './authorities.ts'
import type { AuthorityPlan } from './authority-certificates.ts'
import { failure } from './codes.ts'
import type { ExclusiveNames } from './exclusive-names.ts'
import { issueCertificate, requestDigest } from './issue-certificate.ts'
import type { IssuedCertificates } from './issued-certificates.ts'
import { problems } from './problems.ts'
import type { Revocations } from './revocations.ts'
import { spiffeBundle } from './spiffe-bundle.ts'
import { readWish, type WishTerms, wishData } from './wish.ts'

export interface PkiPluginTerms extends WishTerms {
  readonly keys: AuthorityPlan['keys']
  readonly authorities: Authorities
  readonly issued: IssuedCertificates
  readonly names: ExclusiveNames
  readonly revocations: Revocations
  /** The broker as peers reach it (`http://kbs.example:8080`): certificates say that their list is there. */
  readonly crlAddress?: string
}

const publicNames: readonly string[] = ['ca', 'crl', 'crl.pem', 'bundle']

/**
 * The plugin `pki`. `POST certificate?profile=NAME` with a certificate request gives an attested guest a certificate
 * for its own key, and `GET certificate?profile=NAME` one with a key that is made here, in an encrypted reply: both
 * the same until half of its time is over. `GET ca`, `crl`, `crl/AUTHORITY`, `crl.pem` and `bundle` are for everybody.
 */
export function pkiPlugin(terms: PkiPluginTerms): Plugin {
  const isCertificate = ({ path }: Pick<PluginRequest, 'path'>) =>
    path.length === 1 && path[0] === 'certificate'
  return {
    name: 'pki',
    problems,
    access(request) {
      if (isCertificate(request)) return 'attested'
      const [first = '', ...more] = request.path
      const isList = first === 'crl' && more.length === 1
      const isPublic =
        request.method === 'GET' && publicNames.includes(first) && (more.length === 0 || isList)
      return isPublic ? 'public' : 'admin'
    },
    encrypted: (request) => request.method === 'GET' && isCertificate(request),
    policyData(request) {
      if (!isCertificate(request)) throw unknown()
      return wishData(readWish(terms, request), request)
    },
    async handle(request, at, signal) {
      const { method, path } = request
      if (isCertificate(request) && (method === 'GET' || method === 'POST'))
        return await certificate(terms, request, at, signal)
      if (method !== 'GET') throw unknown()
      const [name, id, ...more] = path
      if (more.length > 0 || (id !== undefined && name !== 'crl')) throw unknown()
      const set = await terms.authorities.at(at, signal)
      if (name === 'ca') return pem([...set.roots, ...set.intermediates].map(certificatePem))
      if (name === 'bundle') return json(spiffeBundle(set), false)
      if (name === 'crl') {
        const list = await terms.revocations.list(issuerOf(set, id), at)
        return { mediaType: 'application/pkix-crl', body: list.der, noStore: false }
      }
      if (name !== 'crl.pem') throw unknown()
      // Of all authorities: who looks at whole chains needs those of the roots too.
      const issuers = [...set.intermediates, ...set.roots]
      return pem(await Promise.all(issuers.map(async (one) => (await terms.revocations.list(one, at)).pem)))
    },
  }
}

async function certificate(
  terms: PkiPluginTerms,
  request: PluginRequest,
  at: Date,
  signal: AbortSignal,
): Promise<Reply> {
  const wish = readWish(terms, request)
  const { identity, dns, profile } = wish
  const set = await terms.authorities.at(at, signal)
  const [issuing] = set.intermediates
  const isExclusive = profile.exclusiveNames
  // What belongs to another under one profile is not given under any other.
  const mayBeTaken = !isExclusive && [...terms.profiles.values()].some((one) => one.exclusiveNames)
  if (mayBeTaken) await terms.names.check(dns, identity, at, signal)
  const place = terms.crlAddress?.replace(/\/$/, '')
  const crlUrl = place && `${place}/kbs/v0/pki/crl/${issuing.id}`
  const record = await terms.issued.issue(
    { identity, request: requestDigest(wish, request.caller), exclusive: isExclusive ? dns : [] },
    at,
    () => issueCertificate(issuing, wish, terms.keys, request.caller, at, crlUrl),
    ({ issuer }) => set.intermediates.some(({ id }) => id === issuer),
    signal,
  )
  await terms.issued.sweepNow(at, signal)
  const issuer = set.intermediates.find(({ id }) => id === record.issuer) ?? issuing
  return json(
    {
      certificate: formatPem('CERTIFICATE', Buffer.from(record.certificate, 'base64')),
      chain: issuer.chain,
      notAfter: new Date(record.notAfter).toISOString(),
      ...(record.key !== null && { key: formatPem('PRIVATE KEY', Buffer.from(record.key, 'base64')) }),
    },
    true,
  )
}

/** The one that issues, or that of this id: a list is signed by who issued what stands on it. */
function issuerOf({ roots, intermediates }: AuthoritySet, id: string | undefined): TrustedAuthority {
  const found =
    id === undefined ? intermediates[0] : [...intermediates, ...roots].find((one) => one.id === id)
  if (!found) throw failure('PKI_NOT_FOUND', 'no authority of this id is trusted')
  return found
}

const certificatePem = ({ authority }: TrustedAuthority): string => authority.certificate.pem

const pem = (blocks: readonly string[]): Reply => ({
  mediaType: 'application/x-pem-file',
  body: Buffer.from(blocks.join('')),
  noStore: false,
})

const json = (value: Json, noStore: boolean): Reply => ({
  mediaType: 'application/json',
  body: Buffer.from(JSON.stringify(value)),
  noStore,
})

const unknown = () => failure('PKI_NOT_FOUND', 'there is nothing of this name here')
