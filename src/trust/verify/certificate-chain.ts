import { failure } from '../codes.ts'
import { authorityOf, type Certificate, isIssuedBy, oids } from './certificate.ts'

/** A certificate authority as a trusted root names it. */
export interface CertificateAuthority {
  /** From the issuer of the leaves up to the root. */
  readonly chain: readonly Certificate[]
  readonly validFrom: number
  readonly validUntil: number
  /** What the trusted root that names it asks for beside its certificates. */
  readonly asksForLog: boolean
  readonly asksForCertificateLog: boolean
}

/** The authority that issued a certificate, and who signed it. */
export interface Issued {
  readonly authority: CertificateAuthority
  readonly issuer: Certificate
}

const links = new WeakMap<Certificate, Map<Certificate, boolean>>()

/** `isIssuedBy`, computed once where both are part of the trust material; a proof's own leaf is forgotten with it. */
function isLinked(lower: Certificate, upper: Certificate): boolean {
  let known = links.get(lower)
  if (!known) {
    known = new Map()
    links.set(lower, known)
  }
  let linked = known.get(upper)
  if (linked === undefined) {
    linked = isIssuedBy(lower, upper)
    known.set(upper, linked)
  }
  return linked
}

/**
 * Finds who issued `leaf` and judges the whole path at every one of these times (RFC 5280 chapter 6, as far as
 * authorities of code-signing and time-stamping use it: no policies, no name constraints, no cross-signing).
 *
 * @throws CERTIFICATE_UNTRUSTED, CERTIFICATE_EXPIRED, CERTIFICATE_NOT_YET_VALID
 */
export function issuedBy(
  leaf: Certificate,
  authorities: readonly CertificateAuthority[],
  times: readonly number[],
): Issued {
  let refusal: Error | undefined
  for (const authority of authorities) {
    const at = authority.chain.findIndex((one) => isLinked(leaf, one))
    if (at < 0) continue
    const path = authority.chain.slice(at)
    try {
      checkPath(leaf, path)
      for (const time of times) checkTime(leaf, path, authority, time)
      return { authority, issuer: path[0]! }
    } catch (error) {
      refusal = error as Error
    }
  }
  throw refusal ?? failure('CERTIFICATE_UNTRUSTED', 'no trusted authority issued the certificate')
}

const knownCritical: readonly string[] = [
  oids.keyUsage,
  oids.extendedKeyUsage,
  oids.basicConstraints,
  oids.subjectAltName,
]

function checkPath(leaf: Certificate, path: readonly Certificate[]): void {
  for (const certificate of [leaf, ...path]) {
    for (const [oid, { critical }] of certificate.extensions) {
      if (critical && !knownCritical.includes(oid))
        throw failure(
          'CERTIFICATE_UNTRUSTED',
          'a certificate has a critical extension that is not understood',
        )
    }
  }
  path.forEach((certificate, below) => {
    const authority = authorityOf(certificate)
    if (!authority)
      throw failure('CERTIFICATE_UNTRUSTED', 'a certificate above the leaf is not an authority’s')
    if (authority.pathLength < below)
      throw failure('CERTIFICATE_UNTRUSTED', 'more authorities stand below one another than allowed')
    const upper = path[below + 1]
    if (upper && !isLinked(certificate, upper))
      throw failure('CERTIFICATE_UNTRUSTED', 'the trusted root’s own chain of certificates is broken')
  })
}

function checkTime(
  leaf: Certificate,
  path: readonly Certificate[],
  authority: CertificateAuthority,
  time: number,
): void {
  const said = new Date(time).toISOString()
  if (time < authority.validFrom || time > authority.validUntil)
    throw failure(
      'CERTIFICATE_UNTRUSTED',
      `the trusted root does not trust its authority at ${said}, when it signed`,
    )
  for (const { notBefore, notAfter } of [leaf, ...path]) {
    if (time < notBefore) {
      const begin = new Date(notBefore).toISOString()
      throw failure(
        'CERTIFICATE_NOT_YET_VALID',
        `signed at ${said}, before the certificate’s begin at ${begin}`,
      )
    }
    if (time > notAfter) {
      const end = new Date(notAfter).toISOString()
      throw failure('CERTIFICATE_EXPIRED', `signed at ${said}, after the certificate’s end at ${end}`)
    }
  }
}
