import { limits as baseLimits, isFailure, type Json, type PkiLimits, parseJson } from '#base/index.ts'
import type { AdminHandlers, AdminRequest } from '../face.ts'
import type { Reply } from '../types.ts'
import type { Authorities, Rotation, TrustedAuthority } from './authorities.ts'
import { failure } from './codes.ts'
import type { IssuedCertificates } from './issued-certificates.ts'
import { problems } from './problems.ts'
import type { IssuedRecord } from './records.ts'
import { type RevocationReason, type Revocations, reasons } from './revocations.ts'

export interface PkiAdministrationTerms {
  readonly authorities: Authorities
  readonly issued: IssuedCertificates
  readonly revocations: Revocations
  readonly rotate: (rotation: Rotation, at: Date, signal?: AbortSignal) => Promise<void>
  readonly limits: PkiLimits
}

/** Most certificates on one page. */
const mostOnPage = 1000

/**
 * What admins do with the PKI:
 *
 *     GET pki/authorities
 *     POST pki/rotate {"root"?: BOOLEAN, "distrust"?: BOOLEAN}
 *     GET pki/issued[?after=NEXT&limit=N]
 *     DELETE pki/issued/SERIAL[?reason=REASON]
 *     GET, PUT, DELETE pki/holders/IDENTITY: what it has; revoke all of it and bar it [?reason=REASON]; reinstate it
 *
 * A certificate that is revoked alone may be followed by another; an identity that is revoked gets none.
 */
export function pkiAdministration(terms: PkiAdministrationTerms): AdminHandlers {
  const { authorities, issued, limits } = terms
  return {
    problems,
    handlers: {
      async pki(request, at, signal) {
        const [, kind, id, ...more] = request.path
        const call = `${request.method} ${kind}${id === undefined ? '' : '/'}`
        if (more.length > 0 || id === '' || (id?.length ?? 0) > limits.identityLength) throw unknown()
        if (call === 'GET authorities') return json(await tellAuthorities(authorities, at, signal))
        if (call === 'POST rotate') {
          await terms.rotate(rotationOf(request), at, signal)
          return json(await tellAuthorities(authorities, at, signal))
        }
        if (call === 'GET issued') return json(await pageOf(terms, request, at, signal))
        if (call === 'DELETE issued/') {
          await issued.revoke(await issued.find(id!, signal), reasonOf(request), at, signal)
          return json({ revoked: [id!] })
        }
        if (call === 'GET holders/') {
          const { records, barred } = await issued.of(id!, at, signal)
          return json({ identity: id!, barred, issued: records.map((record) => tellIssued(record)) })
        }
        if (call === 'PUT holders/') {
          const revoked = await issued.revokeIdentity(id!, reasonOf(request), at, signal)
          return json({ identity: id!, barred: true, revoked })
        }
        if (call === 'DELETE holders/') {
          await issued.reinstate(id!, signal)
          return json({ identity: id!, barred: false })
        }
        throw unknown()
      },
    },
  }
}

async function tellAuthorities(authorities: Authorities, at: Date, signal: AbortSignal): Promise<Json> {
  const { sequence, roots, intermediates } = await authorities.at(at, signal)
  return { sequence, roots: roots.map(tellAuthority), intermediates: intermediates.map(tellAuthority) }
}

/** The first of each kind issues. */
function tellAuthority({ id, authority, until }: TrustedAuthority, position: number): Json {
  const { certificate, publicKey, validity } = authority
  return {
    id,
    issues: position === 0,
    algorithm: publicKey.algorithm,
    serial: certificate.serial,
    notBefore: validity.notBefore.toISOString(),
    notAfter: validity.notAfter.toISOString(),
    trustedUntil: until.toISOString(),
    certificate: certificate.pem,
  }
}

async function pageOf(
  { issued, revocations }: PkiAdministrationTerms,
  { query }: AdminRequest,
  at: Date,
  signal: AbortSignal,
): Promise<Json> {
  const { after, limit = '100' } = query
  const most = /^[1-9]\d{0,3}$/.test(limit) ? Number(limit) : 0
  if (most < 1 || most > mostOnPage) throw invalid(`a page has 1 to ${mostOnPage} certificates`)
  if (after !== undefined && !/^\d{12}-[0-9a-f]{32}$/.test(after))
    throw invalid('"after" is not the "next" of a page')
  const { records, next } = await issued.page({ limit: most, ...(after && { after }) }, signal)
  const told: Json[] = []
  for (const record of records) {
    const isRevoked = (await revocations.serials(record.issuer, at)).has(record.serial)
    told.push(tellIssued(record, isRevoked))
  }
  return { issued: told, ...(next && { next }) }
}

/** All but the key. */
function tellIssued(record: IssuedRecord, isRevoked = false): Json {
  const { serial, issuer, identity, profile, spiffe, dns, ip, notBefore, notAfter, keyId, attested } = record
  return {
    serial,
    issuer,
    identity,
    profile,
    spiffe,
    dns,
    ip,
    notBefore: new Date(notBefore).toISOString(),
    notAfter: new Date(notAfter).toISOString(),
    keyId,
    keyMadeHere: record.key !== null,
    attested: attested as Json,
    revoked: isRevoked,
  }
}

function rotationOf({ body }: AdminRequest): Rotation {
  if (body.length === 0) return {}
  const document = parsed(body)
  const isObject = typeof document === 'object' && document !== null && !Array.isArray(document)
  const { root = false, distrust = false, ...others } = isObject ? document : { none: true }
  const isGood =
    typeof root === 'boolean' && typeof distrust === 'boolean' && Object.keys(others).length === 0
  if (!isGood) throw invalid('the body is not {"root": BOOLEAN, "distrust": BOOLEAN}')
  return { root, distrust }
}

/** Nothing for what is no JSON. */
function parsed(body: Uint8Array): Json {
  try {
    return parseJson(body, { maxBytes: baseLimits.errorBytes })
  } catch (error) {
    if (isFailure(error)) return null
    throw error
  }
}

function reasonOf({ query }: AdminRequest): RevocationReason {
  const { reason = 'privilege-withdrawn' } = query
  const found = reasons.find((known) => known === reason)
  if (!found) throw invalid(`the reason is one of ${reasons.join(', ')}`)
  return found
}

const json = (value: Json): Reply => ({
  mediaType: 'application/json',
  body: Buffer.from(JSON.stringify(value)),
  noStore: true,
})

const invalid = (why: string) => failure('PKI_REQUEST_INVALID', why)
const unknown = () => failure('PKI_NOT_FOUND', 'there is no such call')
