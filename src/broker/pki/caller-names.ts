// How a caller's identity, which can be any text, becomes part of a SPIFFE ID or of a host name. Both ways are
// one-to-one as far as SHA-256 is: what is not taken as it is gets a form that is never taken as it is.
import { createHash } from 'node:crypto'
import { failure } from './codes.ts'

const hashedSegment = 'sha256-'
const hashedLabel = 'id-'
const base32 = 'abcdefghijklmnopqrstuvwxyz234567'

/** An identity as one segment of a SPIFFE ID's path (SPIFFE-ID section 2.2: letters, digits, `.`, `-`, `_`). */
export function spiffeSegment(identity: string): string {
  const isPlain =
    /^[A-Za-z0-9._-]{1,128}$/.test(identity) && !/^\.+$/.test(identity) && !identity.startsWith(hashedSegment)
  return isPlain ? identity : hashedSegment + hashOf(identity).toString('hex')
}

/** An identity as (part of) a label of a host name, in lower case. */
export function identityLabel(identity: string): string {
  const isPlain =
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(identity) &&
    !identity.startsWith(hashedLabel) &&
    !identity.startsWith('xn--')
  return isPlain ? identity : hashedLabel + toBase32(hashOf(identity))
}

/** The SPIFFE ID of a guest. */
export const spiffeId = (trustDomain: string, identity: string): string =>
  `spiffe://${trustDomain}/guest/${spiffeSegment(identity)}`

/** @throws PKI_CONFIGURATION_INVALID for what is no trust domain (SPIFFE-ID section 2.1) */
export function checkTrustDomain(trustDomain: string): string {
  // The specification has no grammar for labels; what is no host name would end in certificates that few can read.
  const labels = trustDomain.split('.')
  const isGood =
    trustDomain.length <= 255 &&
    labels.every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label))
  if (!isGood) {
    throw failure(
      'PKI_CONFIGURATION_INVALID',
      `${JSON.stringify(trustDomain.slice(0, 64))} is no trust domain: it is like a host name, in lower case`,
    )
  }
  return trustDomain
}

const hashOf = (identity: string): Buffer => createHash('sha256').update(identity).digest()

/** RFC 4648 section 6, in lower case and without padding. */
function toBase32(bytes: Uint8Array): string {
  let text = ''
  let bits = 0
  let value = 0
  for (const byte of bytes) {
    value = (value << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += base32[(value >> bits) & 31]
    }
    value &= (1 << bits) - 1
  }
  return bits > 0 ? text + base32[(value << (5 - bits)) & 31] : text
}
