import { Type } from 'typebox'
import { type Json, type LeaseLimits, leaseLimits } from '#base/index.ts'
import { bodyOf, jsonReply } from '../admin/bodies.ts'
import type { AdminHandler, AdminHandlers, AdminRequest } from '../face.ts'
import { formatAddress, isHostName, type Lease, type Leases } from '../leases/index.ts'
import type { AuthorityDescription, NebulaAuthorities } from './authorities.ts'
import { nebulaPem } from './certificate.ts'
import { failure } from './codes.ts'
import { problems } from './problems.ts'

/** Most leases on one page. */
const mostLeases = 1000
const revocation = Type.Object(
  { reason: Type.Optional(Type.String({ maxLength: 1000 })) },
  { additionalProperties: false },
)

/**
 * What admins do with leases and authorities:
 *
 *     GET leases[?after=NAME&limit=N]            DELETE leases/NAME
 *     GET nebula/authorities                     DELETE nebula/authorities/FINGERPRINT
 *     POST nebula/rotate
 *     GET nebula/holders                         PUT, DELETE nebula/holders/IDENTITY
 *
 * Whoever's lease is removed may ask for another; a holder that is put among the revoked ones may not.
 */
export function nebulaAdministration(
  leases: Leases,
  authorities: NebulaAuthorities,
  limits: LeaseLimits = leaseLimits,
): AdminHandlers {
  const answerLeases: AdminHandler = async (request, at, signal) => {
    const [, name, ...more] = request.path
    if (more.length > 0) throw unknown()
    if (request.method === 'GET' && name === undefined)
      return jsonReply(await pageOf(leases, request, at, signal))
    if (request.method !== 'DELETE' || name === undefined) throw unknown()
    await leases.revokeName(checkedName(name, limits), at, signal)
    return jsonReply({ revoked: name })
  }

  const answerNebula: AdminHandler = async (request, at, signal) => {
    const [, kind, id, ...more] = request.path
    const call = `${request.method} ${kind}${id === undefined ? '' : '/'}`
    if (more.length > 0) throw unknown()
    if (call === 'GET authorities')
      return jsonReply({ authorities: (await authorities.list(at, signal)).map(authorityToTell) })
    if (call === 'DELETE authorities/') {
      await authorities.remove(id!, at, signal)
      return jsonReply({ authorities: (await authorities.list(at, signal)).map(authorityToTell) })
    }
    if (call === 'POST rotate') {
      await authorities.rotate(at, signal)
      return jsonReply({ authorities: (await authorities.list(at, signal)).map(authorityToTell) })
    }
    if (call === 'GET holders') {
      const revoked = await Array.fromAsync(leases.barred(signal), ({ holder, reason }) => ({
        holder,
        reason,
      }))
      return jsonReply({ revoked })
    }
    if (id !== undefined && (id.length === 0 || id.length > limits.holderLength)) throw unknown()
    if (call === 'PUT holders/') {
      const { reason = '' } = request.body.length > 0 ? bodyOf(revocation, request.body) : {}
      const names = await leases.revokeHolder(id!, reason, at, signal)
      return jsonReply({ revoked: id!, leases: names })
    }
    if (call === 'DELETE holders/') {
      await leases.reinstateHolder(id!, signal)
      return jsonReply({ reinstated: id! })
    }
    throw unknown()
  }

  return { handlers: { leases: answerLeases, nebula: answerNebula }, problems }
}

async function pageOf(leases: Leases, { query }: AdminRequest, at: Date, signal: AbortSignal): Promise<Json> {
  const { after, limit = '100' } = query
  const most = /^[1-9]\d{0,3}$/.test(limit) ? Number(limit) : 0
  if (most < 1 || most > mostLeases) throw invalid(`a page has 1 to ${mostLeases} leases`)
  if (after !== undefined && !isHostName(after)) throw invalid('"after" is no name of a lease')
  const page: Lease[] = []
  for await (const lease of leases.running(at, after, signal)) {
    if (page.length === most) return { leases: page.map(leaseToTell), next: page.at(-1)!.name }
    page.push(lease)
  }
  return { leases: page.map(leaseToTell) }
}

const leaseToTell = ({ name, network, holder, from, until }: Lease): Json => ({
  name,
  address: formatAddress(network),
  holder,
  from: from.toISOString(),
  until: until.toISOString(),
})

function authorityToTell(described: AuthorityDescription): Json {
  const { fingerprint, certificate, phase, announced, issues, trustedUntil } = described
  const { name, version, curve, notBefore, notAfter } = certificate
  return {
    fingerprint,
    name,
    version,
    curve,
    phase,
    notBefore: new Date(notBefore * 1000).toISOString(),
    notAfter: new Date(notAfter * 1000).toISOString(),
    announced: announced.toISOString(),
    issues: issues.toISOString(),
    trustedUntil: trustedUntil.toISOString(),
    certificate: nebulaPem(certificate),
  }
}

function checkedName(name: string, { nameLength }: LeaseLimits): string {
  if (isHostName(name, nameLength)) return name
  throw invalid('the name is none that a host can have')
}

const invalid = (reason: string) => failure('NEBULA_REQUEST_INVALID', reason)
const unknown = () => failure('NEBULA_PATH_UNKNOWN', 'there is no such call')
