import { failure } from '../codes.ts'
import { formatPem } from '../pem.ts'
import type { PublicKey, Signer } from '../types.ts'
import { bitString, context, der, integer, sequence, smallInteger, tags, time } from './der.ts'
import { authorityKey, crlNumber, crlReason } from './extensions.ts'
import { signatureAlgorithm } from './identifiers.ts'

/** RFC 5280 section 5.3.1. */
const reasons = {
  'key-compromise': 1,
  'affiliation-changed': 3,
  superseded: 4,
  'cessation-of-operation': 5,
  'privilege-withdrawn': 9,
} as const

export interface RevokedCertificate {
  /** Hex, as `IssuedCertificate.serial`. */
  readonly serial: string
  readonly at: Date
  readonly reason?: keyof typeof reasons
}

export interface RevocationTerms {
  /** Must grow from list to list (RFC 5280 section 5.2.3). */
  readonly number: number
  readonly thisUpdate: Date
  readonly nextUpdate: Date
  readonly revoked: readonly RevokedCertificate[]
}

export interface RevocationList {
  readonly der: Uint8Array
  readonly pem: string
}

/** @throws CERTIFICATE_TERMS_INVALID, SIGNING_FAILED */
export async function encodeRevocationList(
  signer: Signer,
  by: PublicKey,
  issuer: Uint8Array,
  keyIdentifier: Uint8Array,
  { number, thisUpdate, nextUpdate, revoked }: RevocationTerms,
): Promise<RevocationList> {
  if (!(nextUpdate > thisUpdate)) throw invalid('the list would end before it begins')
  if (!Number.isSafeInteger(number) || number < 0) throw invalid('the number of a list is a whole number')
  if (new Set(revoked.map(({ serial }) => serial)).size < revoked.length)
    throw invalid('a serial is there twice')
  const algorithm = signatureAlgorithm(by.algorithm)
  const entries = revoked.map(({ serial, at, reason }) =>
    sequence(
      integer(serialBytes(serial)),
      time(at),
      ...(reason ? [sequence(crlReason(der(tags.enumerated, Buffer.from([reasons[reason]]))))] : []),
    ),
  )
  const body = sequence(
    smallInteger(1), // version 2
    algorithm,
    issuer,
    time(thisUpdate),
    time(nextUpdate),
    // Absent, not empty, where nothing is revoked (section 5.1.2.6).
    ...(entries.length > 0 ? [sequence(...entries)] : []),
    context(0, sequence(authorityKey(keyIdentifier), crlNumber(integer(numberBytes(number))))),
  )
  const { bytes } = await signer.sign(body)
  const list = sequence(body, algorithm, bitString(bytes))
  return { der: new Uint8Array(list), pem: formatPem('X509 CRL', list) }
}

function serialBytes(serial: string): Buffer {
  if (!/^([0-9a-f]{2}){1,20}$/.test(serial))
    throw invalid(`${JSON.stringify(serial)} is not a serial number in hex`)
  return Buffer.from(serial, 'hex')
}

function numberBytes(number: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(number))
  return bytes
}

const invalid = (why: string) => failure('CERTIFICATE_TERMS_INVALID', why)
