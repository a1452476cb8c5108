import { createHash } from 'node:crypto'
import type { PublicKey } from '../types.ts'
import { type AlternativeNames, encodeNames, encodePlaces } from './alternative-names.ts'
import {
  boolean,
  context,
  contextString,
  namedBits,
  octetString,
  oid,
  sequence,
  smallInteger,
} from './der.ts'
import { readBitString, readDer, readSequence } from './der-reader.ts'
import { extensionIds, usageIds } from './identifiers.ts'
import { encodeConstraints, type NameConstraints } from './name-constraints.ts'

export type CertificateUsage = keyof typeof usageIds

const extension = (name: keyof typeof extensionIds, isCritical: boolean, value: Uint8Array): Buffer =>
  sequence(oid(extensionIds[name]), ...(isCritical ? [boolean(true)] : []), octetString(value))

/** RFC 7093 section 2, method 1: the leftmost 160 bits of SHA-256 of the key. */
export function keyIdentifier({ spki }: PublicKey): Buffer {
  const [, key] = readSequence(readDer(spki))
  return createHash('sha256').update(readBitString(key)).digest().subarray(0, 20)
}

export const subjectKey = (id: Uint8Array): Buffer =>
  extension('subjectKeyIdentifier', false, octetString(id))

export const authorityKey = (id: Uint8Array): Buffer =>
  extension('authorityKeyIdentifier', false, sequence(contextString(0, id)))

export interface AuthorityTraits {
  readonly pathLength?: number | undefined
  readonly constraints?: NameConstraints | undefined
  /** Who it is, beside its name: a SPIFFE ID without a path (X509-SVID section 3.2). */
  readonly uris?: readonly string[] | undefined
}

/** What makes a certificate one of an authority. */
export function authorityExtensions({ pathLength, constraints, uris = [] }: AuthorityTraits): Buffer[] {
  const basic = sequence(boolean(true), ...(pathLength === undefined ? [] : [smallInteger(pathLength)]))
  return [
    extension('basicConstraints', true, basic),
    extension('keyUsage', true, namedBits([5, 6])), // keyCertSign, cRLSign
    ...(constraints ? [extension('nameConstraints', true, encodeConstraints(constraints))] : []),
    ...(uris.length > 0
      ? [extension('subjectAlternativeName', false, sequence(...encodeNames({ uris })))]
      : []),
  ]
}

/** Where the list is that tells whether a certificate was revoked (RFC 5280 section 4.2.1.13): one list at every place. */
export function revocationPlaces(urls: readonly string[]): Buffer[] {
  if (urls.length === 0) return []
  const point = sequence(context(0, context(0, ...encodePlaces(urls))))
  return [extension('crlDistributionPoints', false, sequence(point))]
}

/** What says for what and for whom the key of a certificate may be used. */
export function leafExtensions(
  { algorithm }: PublicKey,
  usages: readonly CertificateUsage[],
  names: AlternativeNames,
  isSubjectEmpty: boolean,
): Buffer[] {
  // Older TLS has the client encrypt with the key of the server, where that is RSA.
  const bits = algorithm === 'rsa' && usages.includes('server') ? [0, 2] : [0]
  const encoded = encodeNames(names)
  return [
    extension('basicConstraints', true, sequence()),
    extension('keyUsage', true, namedBits(bits)),
    // RFC 3161 section 2.3: critical and alone for time stamps.
    extension(
      'extendedKeyUsage',
      usages.includes('time-stamping'),
      sequence(...usages.map((usage) => oid(usageIds[usage]))),
    ),
    // RFC 5280 section 4.1.2.6: critical where the names in it are the only ones.
    ...(encoded.length > 0
      ? [extension('subjectAlternativeName', isSubjectEmpty, sequence(...encoded))]
      : []),
  ]
}

/** The number of a revocation list. */
export const crlNumber = (number: Buffer): Buffer => extension('crlNumber', false, number)

export const crlReason = (reason: Buffer): Buffer => extension('crlReason', false, reason)
