import { X509Certificate } from 'node:crypto'
import type { AttestationLimits, Json } from '#base/index.ts'
import { fromBase64 } from '../base64.ts'
import { failure } from '../codes.ts'

/**
 * The leaf of an `x5c` (RFC 7515 section 4.1.6) that leads to one of the trusted certificates, each link of it valid
 * at this time. The last of the chain may be the trusted one itself, or be issued by it.
 *
 * @throws TOKEN_UNTRUSTED, TOKEN_INVALID where the chain cannot be read
 */
export function trustedLeaf(
  chain: Json,
  trusted: readonly X509Certificate[],
  at: Date,
  limits: AttestationLimits,
): X509Certificate {
  const certificates = readChain(chain, limits)
  for (const [position, certificate] of certificates.entries()) {
    if (!isValidAt(certificate, at)) {
      throw failure('TOKEN_UNTRUSTED', 'a certificate in the chain of the token is not valid at this time')
    }
    if (trusted.some((anchor) => anchor.raw.equals(certificate.raw))) return certificates[0]!
    const anchor = trusted.find((issuer) => issued(issuer, certificate) && isValidAt(issuer, at))
    if (anchor) return certificates[0]!
    const next = certificates[position + 1]
    if (!next || !issued(next, certificate)) break
  }
  throw failure('TOKEN_UNTRUSTED', 'the chain of the token does not lead to a trusted certificate')
}

function readChain(chain: Json, limits: AttestationLimits): X509Certificate[] {
  if (!Array.isArray(chain) || chain.length === 0 || chain.length > limits.chain) {
    throw failure('TOKEN_INVALID', `"x5c" of the token is not a list of one to ${limits.chain} certificates`)
  }
  return chain.map((text) => {
    const der = typeof text === 'string' ? fromBase64(text) : undefined
    try {
      return new X509Certificate(der ?? Buffer.alloc(0))
    } catch {
      throw failure('TOKEN_INVALID', 'a certificate in "x5c" of the token cannot be read')
    }
  })
}

const issued = (issuer: X509Certificate, certificate: X509Certificate): boolean =>
  issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)

const isValidAt = ({ validFromDate, validToDate }: X509Certificate, at: Date): boolean =>
  validFromDate <= at && at <= validToDate
