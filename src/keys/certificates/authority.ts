import { type KeyObject, randomBytes, X509Certificate } from 'node:crypto'
import { failure } from '../codes.ts'
import { formatPem } from '../pem.ts'
import { publicKeyOf } from '../public-key.ts'
import { privateKeySigner } from '../signing.ts'
import type { PublicKey, Signer } from '../types.ts'
import type { AlternativeNames } from './alternative-names.ts'
import { type AuthorityFields, authorityFields } from './certificate-fields.ts'
import { bitString, context, integer, sequence, smallInteger, time } from './der.ts'
import { type DistinguishedName, encodeName } from './distinguished-name.ts'
import {
  authorityExtensions,
  authorityKey,
  type CertificateUsage,
  keyIdentifier,
  leafExtensions,
  revocationPlaces,
  subjectKey,
} from './extensions.ts'
import { signatureAlgorithm } from './identifiers.ts'
import { checkConstraints, type NameConstraints } from './name-constraints.ts'
import { encodeRevocationList, type RevocationList, type RevocationTerms } from './revocation-list.ts'

/** A certificate that was issued. */
export interface IssuedCertificate {
  readonly der: Uint8Array
  readonly pem: string
  /** Lower-case hex, as it stands in the certificate. */
  readonly serial: string
}

export interface Validity {
  readonly notBefore: Date
  readonly notAfter: Date
}

/** Random bytes for serial numbers; a test gives its own. */
export type Randomness = (bytes: number) => Uint8Array

export interface AuthorityTerms extends Validity {
  readonly subject: DistinguishedName
  /** Its private key. */
  readonly key: KeyObject
  /** How many authorities may stand between it and a leaf; any number where it is not said. */
  readonly pathLength?: number
  readonly constraints?: NameConstraints
  /** Who it is beside its name: the SPIFFE ID of a trust domain. */
  readonly uris?: readonly string[]
  readonly random?: Randomness
}

export interface CertificateTerms extends Validity, AlternativeNames {
  readonly subject?: DistinguishedName
  readonly publicKey: PublicKey
  /** At least one for a leaf, none for an authority. */
  readonly usages?: readonly CertificateUsage[]
  /** Where the list of revoked certificates is found: addresses for http(s). */
  readonly crlUrls?: readonly string[]
  /** Set for the certificate of an authority below this one, which has no names but URIs. */
  readonly ca?: { readonly pathLength?: number; readonly constraints?: NameConstraints }
}

/** Issues certificates (RFC 5280). It remembers nothing: who must know what was issued keeps the serials. */
export interface CertificateAuthority {
  readonly certificate: IssuedCertificate
  readonly publicKey: PublicKey
  readonly validity: Validity
  /** @throws CERTIFICATE_TERMS_INVALID, SIGNING_FAILED */
  issue(terms: CertificateTerms): Promise<IssuedCertificate>
  /** @throws CERTIFICATE_TERMS_INVALID, SIGNING_FAILED */
  revocationList(terms: RevocationTerms): Promise<RevocationList>
}

/** A new authority that vouches for itself. @throws CERTIFICATE_TERMS_INVALID, KEY_TYPE_REFUSED, SIGNING_FAILED */
export async function createAuthority(terms: AuthorityTerms): Promise<CertificateAuthority> {
  const { subject, key, pathLength, constraints, uris, random = randomBytes } = terms
  const publicKey = publicKeyOf(key)
  const name = encodeName(subject)
  if (Object.keys(subject).length === 0) throw invalid('an authority needs a name')
  const identifier = keyIdentifier(publicKey)
  const certificate = await signCertificate(privateKeySigner(key), publicKey, {
    ...checkedValidity(terms),
    issuer: name,
    subject: name,
    publicKey,
    serial: newSerial(random),
    extensions: [
      ...authorityExtensions({ pathLength: checkedPathLength(pathLength), constraints, uris }),
      subjectKey(identifier),
    ],
  })
  const fields = { subject: name, keyIdentifier: identifier, pathLength, constraints }
  return authority(certificate, key, checkedValidity(terms), fields, random)
}

/**
 * An authority that is there already: its certificate in PEM or DER, and its private key.
 * @throws CERTIFICATE_INVALID, CERTIFICATE_TERMS_INVALID where the certificate is no authority's or not of this key
 */
export function openAuthority(
  certificate: string | Uint8Array,
  key: KeyObject,
  random: Randomness = randomBytes,
): CertificateAuthority {
  let fields: AuthorityFields
  let parsed: X509Certificate
  try {
    parsed = new X509Certificate(certificate)
    fields = authorityFields(parsed.raw)
  } catch (cause) {
    throw failure('CERTIFICATE_INVALID', 'the certificate of the authority cannot be read', { cause })
  }
  if (!parsed.ca) throw invalid('the certificate is not one of an authority')
  if (!parsed.checkPrivateKey(key)) throw invalid('the key is not that of the certificate')
  const validity = { notBefore: parsed.validFromDate, notAfter: parsed.validToDate }
  return authority(issued(parsed.raw, parsed.serialNumber.toLowerCase()), key, validity, fields, random)
}

function authority(
  certificate: IssuedCertificate,
  key: KeyObject,
  validity: Validity,
  fields: AuthorityFields,
  random: Randomness,
): CertificateAuthority {
  const signer = privateKeySigner(key)
  const publicKey = publicKeyOf(key)
  const identifier = fields.keyIdentifier ?? keyIdentifier(publicKey)
  return {
    certificate,
    publicKey,
    validity,
    async issue(terms) {
      const { subject = {}, usages = [], uris, crlUrls = [], ca } = terms
      const times = checkedValidity(terms)
      if (times.notBefore < validity.notBefore || times.notAfter > validity.notAfter) {
        throw invalid('the certificate would be valid when its authority is not')
      }
      const name = encodeName(subject)
      const isNameless = Object.keys(subject).length === 0
      if (fields.constraints) checkConstraints(fields.constraints, terms)
      const extensions = ca
        ? authorityExtensions({ ...ca, pathLength: pathLengthBelow(fields.pathLength, ca.pathLength), uris })
        : leafExtensions(terms.publicKey, usages, terms, isNameless)
      checkPurpose(terms, isNameless)
      return await signCertificate(signer, publicKey, {
        ...times,
        issuer: fields.subject,
        subject: name,
        publicKey: terms.publicKey,
        serial: newSerial(random),
        extensions: [
          ...extensions,
          ...revocationPlaces(crlUrls),
          subjectKey(keyIdentifier(terms.publicKey)),
          authorityKey(identifier),
        ],
      })
    },
    revocationList: (terms) => encodeRevocationList(signer, publicKey, fields.subject, identifier, terms),
  }
}

function checkPurpose(
  { usages = [], ca, dnsNames = [], ipAddresses = [], uris = [], emails = [] }: CertificateTerms,
  isNameless: boolean,
): void {
  const names = dnsNames.length + ipAddresses.length + emails.length
  if (ca) {
    if (isNameless) throw invalid('an authority needs a name')
    if (usages.length + names > 0)
      throw invalid('an authority has neither usages nor alternative names but URIs')
    return
  }
  if (isNameless && names + uris.length === 0) throw invalid('the certificate would be for nobody')
  if (usages.length === 0) throw invalid('the certificate would be for nothing: usages are needed')
  if (usages.includes('server') && dnsNames.length + ipAddresses.length === 0) {
    throw invalid('a server needs a DNS name or an IP address: clients do not look at its subject')
  }
  if (usages.includes('time-stamping') && usages.length > 1)
    throw invalid('time stamps are a usage alone (RFC 3161)')
}

/** An authority may only name fewer authorities below it than it has below itself. */
function pathLengthBelow(own: number | undefined, asked: number | undefined): number | undefined {
  if (own === undefined) return checkedPathLength(asked)
  if (own === 0) throw invalid('there may be no authority below this one')
  if (asked === undefined || asked >= own) throw invalid(`the path length must be below ${own}`)
  return checkedPathLength(asked)
}

function checkedPathLength(length: number | undefined): number | undefined {
  if (length === undefined || (Number.isInteger(length) && length >= 0 && length <= 16)) return length
  throw invalid('a path length is a whole number from 0 to 16')
}

function checkedValidity({ notBefore, notAfter }: Validity): Validity {
  const whole = (at: Date) => new Date(Math.floor(at.getTime() / 1000) * 1000)
  const isGood =
    notAfter > notBefore && notBefore.getUTCFullYear() >= 1950 && notAfter.getUTCFullYear() <= 9999
  if (!isGood)
    throw invalid('the certificate would end before it begins, or be outside of the years 1950 to 9999')
  return { notBefore: whole(notBefore), notAfter: whole(notAfter) }
}

/** 126 random bits in 16 bytes, never fewer (RFC 5280 section 4.1.2.2: positive, at most 20 bytes). */
function newSerial(random: Randomness): Uint8Array {
  const bytes = Uint8Array.from(random(16))
  bytes[0] = (bytes[0]! & 0x7f) | 0x40
  return bytes
}

interface Signed extends Validity {
  readonly issuer: Uint8Array
  readonly subject: Uint8Array
  readonly publicKey: PublicKey
  readonly serial: Uint8Array
  readonly extensions: readonly Uint8Array[]
}

async function signCertificate(signer: Signer, by: PublicKey, terms: Signed): Promise<IssuedCertificate> {
  const { issuer, subject, publicKey, serial, extensions, notBefore, notAfter } = terms
  const algorithm = signatureAlgorithm(by.algorithm)
  const body = sequence(
    context(0, smallInteger(2)), // version 3
    integer(serial),
    algorithm,
    issuer,
    sequence(time(notBefore), time(notAfter)),
    subject,
    publicKey.spki,
    context(3, sequence(...extensions)),
  )
  const { bytes } = await signer.sign(body)
  return issued(sequence(body, algorithm, bitString(bytes)), Buffer.from(serial).toString('hex'))
}

const issued = (der: Uint8Array, serial: string): IssuedCertificate =>
  Object.freeze({ der: new Uint8Array(der), pem: formatPem('CERTIFICATE', der), serial })

const invalid = (why: string) => failure('CERTIFICATE_TERMS_INVALID', why)
