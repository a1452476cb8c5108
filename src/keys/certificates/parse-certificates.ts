import { X509Certificate } from 'node:crypto'
import { isFailure, limits } from '#base/index.ts'
import { failure } from '../codes.ts'
import { parsePem } from '../pem.ts'

/**
 * All certificates of a PEM text, in its order, at least one. What else is in it is refused: a private key among
 * certificates is a mistake that should be told.
 *
 * @throws CERTIFICATE_INVALID
 */
export function parseCertificates(
  pem: string,
  maxBytes: number = limits.credentialFileBytes,
): X509Certificate[] {
  if (pem.length > maxBytes) {
    throw failure(
      'CERTIFICATE_INVALID',
      `${pem.length} bytes of certificates are over the limit of ${maxBytes}`,
    )
  }
  try {
    const blocks = parsePem(pem)
    const other = blocks.find(({ label }) => label !== 'CERTIFICATE')
    if (other) throw failure('CERTIFICATE_INVALID', `${other.label} stands among the certificates`)
    if (blocks.length === 0) throw failure('CERTIFICATE_INVALID', 'there is no certificate in the text')
    return blocks.map(({ bytes }) => new X509Certificate(bytes))
  } catch (cause) {
    if (isFailure(cause, 'CERTIFICATE_INVALID')) throw cause
    throw failure('CERTIFICATE_INVALID', 'a certificate cannot be read', { cause })
  }
}
