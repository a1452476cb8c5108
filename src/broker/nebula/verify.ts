import { contains, formatNetwork, type Network } from '../leases/index.ts'
import {
  fingerprintOf,
  fingerprintsOf,
  type NebulaCertificate,
  type NebulaDetails,
  signedPart,
} from './certificate.ts'
import { failure } from './codes.ts'
import { isSignedBy } from './signature.ts'

/**
 * Whether an authority may be trusted at all: it says that it is one, and signed itself.
 * @throws NEBULA_CERTIFICATE_REFUSED
 */
export function checkNebulaAuthority(ca: NebulaCertificate): void {
  if (!ca.isCa) throw refused(`${JSON.stringify(ca.name)} is no authority`)
  if (!isSignedBy(ca.curve, ca.publicKey, signedPart(ca), ca.signature))
    throw refused(`the authority ${JSON.stringify(ca.name)} did not sign itself`)
}

/**
 * Judges a node's certificate as a Nebula node does.
 *
 * @param trusted the authorities, of which several may count at a time
 * @param blocked fingerprints of what was revoked
 * @returns the authority that issued it
 * @throws NEBULA_CERTIFICATE_REFUSED
 */
export function verifyNebulaCertificate(
  certificate: NebulaCertificate,
  trusted: readonly NebulaCertificate[],
  at: Date,
  blocked: ReadonlySet<string> = new Set(),
): NebulaCertificate {
  if (fingerprintsOf(certificate).some((fingerprint) => blocked.has(fingerprint)))
    throw refused('it was revoked')
  const ca = trusted.find((candidate) => fingerprintOf(candidate) === certificate.issuer)
  if (!ca) throw refused('no trusted authority issued it')
  checkNebulaAuthority(ca)
  const seconds = Math.floor(at.getTime() / 1000)
  for (const { name, notBefore, notAfter } of [ca, certificate]) {
    if (seconds < notBefore || seconds > notAfter)
      throw refused(`${JSON.stringify(name)} does not count at this time`)
  }
  if (
    certificate.curve !== ca.curve ||
    !isSignedBy(ca.curve, ca.publicKey, signedPart(certificate), certificate.signature)
  )
    throw refused('its authority did not sign it')
  const objection = constraintOf(ca, certificate)
  if (objection !== undefined) throw refused(objection)
  return ca
}

/** What of a certificate goes beyond its authority, or undefined. */
export function constraintOf(ca: NebulaDetails, leaf: NebulaDetails): string | undefined {
  const outside = (outer: readonly Network[], inner: readonly Network[]) =>
    outer.length === 0 ? undefined : inner.find((network) => !outer.some((range) => contains(range, network)))
  const group = ca.groups.length === 0 ? undefined : leaf.groups.find((name) => !ca.groups.includes(name))
  if (leaf.isCa) return 'an authority does not sign another'
  if (leaf.curve !== ca.curve) return 'its curve is not that of the authority'
  if (leaf.notAfter > ca.notAfter) return 'it ends after its authority'
  if (leaf.notBefore < ca.notBefore) return 'it begins before its authority'
  if (group !== undefined) return `the group ${JSON.stringify(group)} is none of the authority`
  const network = outside(ca.networks, leaf.networks)
  if (network) return `${formatNetwork(network)} lies outside of the authority's networks`
  const route = outside(ca.unsafeNetworks, leaf.unsafeNetworks)
  return route && `${formatNetwork(route)} lies outside of the authority's unsafe networks`
}

const refused = (reason: string) =>
  failure('NEBULA_CERTIFICATE_REFUSED', `the Nebula certificate is not good: ${reason}`)
