import { hash, timingSafeEqual } from 'node:crypto'
import { failure } from '../codes.ts'
import { type Certificate, isFor, oids, parseCertificate, signatureHashes } from './certificate.ts'
import { type CertificateAuthority, issuedBy } from './certificate-chain.ts'
import {
  children,
  context,
  type Der,
  derInteger,
  derTime,
  expectTag,
  hex,
  malformed,
  oidHex,
  parseDer,
  tags,
} from './der.ts'
import { verifyBytes } from './signature.ts'

/** An authority of time stamps as a trusted root names it: its own certificates may stand at the chain's begin. */
export interface TimeStampAuthority extends CertificateAuthority {
  readonly leaf: Certificate | undefined
}

const signedData = '2a864886f70d010702'
const tstInfo = '2a864886f70d0109100104'
const contentTypeAttribute = '2a864886f70d010903'
const messageDigestAttribute = '2a864886f70d010904'
const signingCertificateV2 = '2a864886f70d010910022f'
const signatureOnly: Readonly<Record<string, true>> = { '2a8648ce3d0201': true, '2a864886f70d010101': true }

/** Hash algorithms (RFC 5754) that a stamp may use. */
const hashes: Readonly<Record<string, string>> = {
  '608648016503040201': 'sha256',
  '608648016503040202': 'sha384',
  '608648016503040203': 'sha512',
}

/** A time stamp taken apart (RFC 3161 section 2.4.2 around RFC 5652), not judged. */
export interface TimeStamp {
  readonly time: number
  readonly info: Uint8Array
  readonly imprint: { readonly hash: string; readonly digest: Uint8Array }
  readonly signer: { readonly issuer: string; readonly serial: string }
  readonly certificates: readonly Uint8Array[]
  readonly attributes: Der
  readonly digestHash: string
  readonly signatureAlgorithm: string
  readonly signature: Uint8Array
}

/** Reads a TimeStampResp, or the token alone. @throws PROOF_MALFORMED */
export function parseTimeStamp(bytes: Uint8Array): TimeStamp {
  const outer = children(expectTag(parseDer(bytes), tags.sequence, 'a time stamp'))
  const isToken = outer[0]?.tag === tags.oid
  if (!isToken) {
    const status = derInteger(
      children(expectTag(outer[0], tags.sequence, 'a time stamp’s status'))[0],
      'a status',
    )
    if (status > 1) throw malformed('a time stamp says that it was not granted')
  }
  const [type, wrapped] = isToken
    ? outer
    : children(expectTag(outer[1], tags.sequence, 'a time stamp’s token'))
  if (oidHex(type) !== signedData) throw malformed('a time stamp is not signed data')
  const [inner] = children(expectTag(wrapped, context(0), 'a time stamp’s signed data'))
  const signed = children(expectTag(inner, tags.sequence, 'a time stamp’s signed data'))
  const [contentType, content] = children(expectTag(signed[2], tags.sequence, 'a time stamp’s content'))
  if (oidHex(contentType) !== tstInfo) throw malformed('a time stamp holds something else')
  const info = expectTag(
    children(expectTag(content, context(0), 'a time stamp’s content'))[0],
    tags.octetString,
    'a time stamp’s content',
  ).value
  const [, , imprint, , time] = children(expectTag(parseDer(info), tags.sequence, 'a time stamp’s content'))
  const [imprintHash, imprintDigest] = children(expectTag(imprint, tags.sequence, 'a time stamp’s imprint'))
  const signers = children(expectTag(signed.at(-1), tags.set, 'a time stamp’s signers'))
  if (signers.length !== 1) throw malformed('a time stamp does not have exactly one signer')
  const [, sid, digestAlgorithm, attributes, signatureAlgorithm, signature] = children(signers[0]!)
  const [issuer, serial] = children(expectTag(sid, tags.sequence, 'a time stamp’s signer'))
  return {
    time: derTime(time),
    info,
    imprint: {
      hash: hashOf(imprintHash),
      digest: expectTag(imprintDigest, tags.octetString, 'a time stamp’s imprint').value,
    },
    signer: {
      issuer: hex(issuer?.bytes ?? new Uint8Array()),
      serial: hex(expectTag(serial, tags.integer, 'a serial number').value),
    },
    certificates: embedded(signed.slice(3, -1).find(({ tag }) => tag === context(0))),
    attributes: expectTag(attributes, context(0), 'a time stamp’s signed attributes'),
    digestHash: hashOf(digestAlgorithm),
    signatureAlgorithm: oidHex(children(expectTag(signatureAlgorithm, tags.sequence, 'an algorithm'))[0]),
    signature: expectTag(signature, tags.octetString, 'a time stamp’s signature').value,
  }
}

function hashOf(node: Der | undefined): string {
  const name = hashes[oidHex(children(expectTag(node, tags.sequence, 'a hash algorithm'))[0])]
  if (!name) throw malformed('a time stamp uses a hash that is not taken')
  return name
}

function embedded(node: Der | undefined): Uint8Array[] {
  const found = node ? children(node).filter(({ tag }) => tag === tags.sequence) : []
  if (found.length > 8) throw malformed('a time stamp carries more than 8 certificates')
  return found.map(({ bytes }) => bytes)
}

/**
 * The time at which a trusted authority saw `signed`, or undefined where the stamp is by none that is known.
 *
 * @throws TIMESTAMP_INVALID, PROOF_MALFORMED
 */
export function stampedTime(
  stamp: TimeStamp,
  signed: Uint8Array,
  authorities: readonly TimeStampAuthority[],
): number | undefined {
  const known = authorities.flatMap((authority) => signerAmong(stamp, authority) ?? [])
  if (known.length === 0) return undefined
  const { imprint, time } = stamp
  if (!equal(hash(imprint.hash, signed, 'buffer'), imprint.digest))
    throw failure('TIMESTAMP_INVALID', 'the time stamp is over another signature')
  let why = ''
  for (const { authority, leaf } of known) {
    try {
      issuedBy(leaf, [authority], [time])
      if (!isFor(leaf, oids.timeStamping)) why = 'its certificate is not for time stamps'
      else if (attributesFit(stamp, leaf)) return time
      else why = 'its signature does not fit'
    } catch (error) {
      why = (error as Error).message
    }
  }
  throw failure('TIMESTAMP_INVALID', `the time stamp of ${new Date(time).toISOString()} is not good: ${why}`)
}

/** The certificate that made the stamp: the trusted root's, or one carried along that the root's chain issued. */
function signerAmong(stamp: TimeStamp, authority: TimeStampAuthority) {
  const { leaf } = authority
  const isSigner = ({ issuer, serial }: Certificate) =>
    issuer === stamp.signer.issuer && serial === stamp.signer.serial
  if (leaf) return isSigner(leaf) ? { authority, leaf } : undefined
  if (!authority.chain.some(({ subject }) => subject === stamp.signer.issuer)) return undefined
  const carried = stamp.certificates.map((der) => parseCertificate(der)).find(isSigner)
  return carried ? { authority, leaf: carried } : undefined
}

function attributesFit(stamp: TimeStamp, leaf: Certificate): boolean {
  const attributes = new Map<string, Der | undefined>()
  for (const attribute of children(stamp.attributes)) {
    const [type, values] = children(attribute)
    const oid = oidHex(type)
    if (attributes.has(oid)) throw malformed('a time stamp holds the same attribute twice')
    attributes.set(oid, children(expectTag(values, tags.set, 'an attribute’s values'))[0])
  }
  // RFC 5652 section 5.3: both must be there, and the type must be that of the content.
  const digest = expectTag(attributes.get(messageDigestAttribute), tags.octetString, 'a message digest').value
  if (oidHex(attributes.get(contentTypeAttribute)) !== tstInfo) return false
  if (!equal(hash(stamp.digestHash, stamp.info, 'buffer'), digest)) return false
  const certificate = attributes.get(signingCertificateV2)
  if (certificate && !namesCertificate(certificate, leaf)) return false
  // Signed is the SET, not the [0] that it is written as (RFC 5652 section 5.4).
  const signed = Buffer.from(stamp.attributes.bytes)
  signed[0] = tags.set
  const named = signatureHashes[stamp.signatureAlgorithm]
  const signatureHash = signatureOnly[stamp.signatureAlgorithm] ? stamp.digestHash : named
  return signatureHash !== undefined && verifyBytes(leaf.key, signed, stamp.signature, signatureHash)
}

/** ESSCertIDv2 (RFC 5035 section 4): the hash of the signer's certificate, SHA-256 where none is named. */
function namesCertificate(attribute: Der, leaf: Certificate): boolean {
  const [certificates] = children(attribute)
  const [first] = children(expectTag(certificates, tags.sequence, 'a signing certificate'))
  const parts = children(expectTag(first, tags.sequence, 'a signing certificate'))
  const isNamed = parts[0]?.tag === tags.sequence
  const name = isNamed ? hashOf(parts[0]) : 'sha256'
  const digest = expectTag(parts[isNamed ? 1 : 0], tags.octetString, 'a certificate’s hash').value
  return equal(hash(name, leaf.der, 'buffer'), digest)
}

function equal(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other)
}
