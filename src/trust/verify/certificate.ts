import { createPublicKey, type KeyObject } from 'node:crypto'
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

/** What is used of an X.509 certificate (RFC 5280). Times are milliseconds. */
export interface Certificate {
  readonly der: Uint8Array
  readonly serial: string
  /** Hex of the DER of the names: compared, never shown. */
  readonly issuer: string
  readonly subject: string
  readonly notBefore: number
  readonly notAfter: number
  readonly spki: Uint8Array
  readonly key: KeyObject
  /** Extensions by the hex of their object identifier. */
  readonly extensions: ReadonlyMap<string, Extension>
  /** The to-be-signed part, and the values in it, which certificate transparency takes apart. */
  readonly tbs: Der
  readonly tbsFields: readonly Der[]
  readonly signatureAlgorithm: string
  readonly signature: Uint8Array
}

export interface Extension {
  readonly critical: boolean
  readonly value: Uint8Array
}

/** Object identifiers, as the hex of their content octets. */
export const oids = {
  subjectKeyId: '551d0e',
  keyUsage: '551d0f',
  subjectAltName: '551d11',
  basicConstraints: '551d13',
  nameConstraints: '551d1e',
  authorityKeyId: '551d23',
  extendedKeyUsage: '551d25',
  codeSigning: '2b06010505070303',
  timeStamping: '2b06010505070308',
  sctList: '2b06010401d679020402',
} as const

/** Signature algorithms of certificates and tokens, to their hash; `null` for Ed25519. */
export const signatureHashes: Readonly<Record<string, string | null>> = {
  '2a8648ce3d040302': 'sha256',
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
  '2a864886f70d01010b': 'sha256',
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  '2b6570': null,
}

/** @throws PROOF_MALFORMED */
export function parseCertificate(der: Uint8Array): Certificate {
  const [tbs, algorithm, signature, more] = children(expectTag(parseDer(der), tags.sequence, 'a certificate'))
  if (more) throw malformed('a certificate holds too much')
  const tbsFields = children(expectTag(tbs, tags.sequence, 'the certificate’s content'))
  const [version, serial, innerAlgorithm, issuer, validity, subject, spki] = tbsFields
  if (version?.tag !== context(0)) throw malformed('a certificate is not of version 3')
  const signatureAlgorithm = algorithmOf(algorithm)
  if (algorithmOf(innerAlgorithm) !== signatureAlgorithm)
    throw malformed('a certificate names two signature algorithms')
  const [notBefore, notAfter] = children(expectTag(validity, tags.sequence, 'the certificate’s validity'))
  const bits = expectTag(signature, tags.bitString, 'the certificate’s signature').value
  if (bits[0] !== 0) throw malformed('the certificate’s signature is not whole bytes')
  const spkiBytes = expectTag(spki, tags.sequence, 'the certificate’s key').bytes
  let key: KeyObject | undefined
  return {
    der,
    serial: hex(expectTag(serial, tags.integer, 'the certificate’s serial number').value),
    issuer: hex(expectTag(issuer, tags.sequence, 'the certificate’s issuer').bytes),
    subject: hex(expectTag(subject, tags.sequence, 'the certificate’s subject').bytes),
    notBefore: derTime(notBefore),
    notAfter: derTime(notAfter),
    spki: spkiBytes,
    // Parsed when it is first used: most certificates that are looked at are not ours.
    get key() {
      key ??= publicKeyOf(spkiBytes)
      return key
    },
    extensions: extensionsOf(tbsFields.find((field, at) => at > 6 && field.tag === context(3))),
    tbs: tbs!,
    tbsFields,
    signatureAlgorithm,
    signature: bits.subarray(1),
  }
}

/** @throws PROOF_MALFORMED */
export function publicKeyOf(spki: Uint8Array): KeyObject {
  try {
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
  } catch (cause) {
    throw malformed('a public key cannot be read', cause)
  }
}

function algorithmOf(node: Der | undefined): string {
  return oidHex(children(expectTag(node, tags.sequence, 'a signature algorithm'))[0])
}

function extensionsOf(node: Der | undefined): Map<string, Extension> {
  const found = new Map<string, Extension>()
  if (!node) return found
  const [list] = children(node)
  for (const extension of children(expectTag(list, tags.sequence, 'the certificate’s extensions'))) {
    const parts = children(extension)
    const oid = oidHex(parts[0])
    // RFC 5280 section 4.2: no extension twice.
    if (found.has(oid)) throw malformed('a certificate holds the same extension twice')
    const critical = parts.length === 3
    if (critical && (parts[1]!.tag !== tags.boolean || parts[1]!.value[0] !== 0xff))
      throw malformed('an extension of a certificate is malformed')
    const value = expectTag(parts[critical ? 2 : 1], tags.octetString, 'an extension’s value').value
    found.set(oid, { critical, value })
  }
  return found
}

/** Whether it may issue certificates, and how many authorities may stand below it. */
export function authorityOf(certificate: Certificate): { readonly pathLength: number } | undefined {
  const basic = certificate.extensions.get(oids.basicConstraints)
  if (!basic) return undefined
  const [ca, pathLength] = children(parseDer(basic.value))
  if (ca?.tag !== tags.boolean || ca.value[0] !== 0xff) return undefined
  const usage = certificate.extensions.get(oids.keyUsage)
  // keyCertSign is bit 5 of the first byte (RFC 5280 section 4.2.1.3).
  if (usage && ((expectTag(parseDer(usage.value), tags.bitString, 'key usage').value[1] ?? 0) & 0x04) === 0)
    return undefined
  return { pathLength: pathLength ? derInteger(pathLength, 'a path length') : Number.POSITIVE_INFINITY }
}

/** Whether its extended key usage names this purpose. */
export function isFor(certificate: Certificate, purpose: string): boolean {
  const usage = certificate.extensions.get(oids.extendedKeyUsage)
  return usage !== undefined && children(parseDer(usage.value)).some((one) => oidHex(one) === purpose)
}

/** Whether `issuer` signed `certificate`: names, key identifiers and the signature itself. */
export function isIssuedBy(certificate: Certificate, issuer: Certificate): boolean {
  if (certificate.issuer !== issuer.subject) return false
  const wanted = certificate.extensions.get(oids.authorityKeyId)
  const offered = issuer.extensions.get(oids.subjectKeyId)
  if (wanted && offered) {
    const id = children(parseDer(wanted.value)).find(({ tag }) => tag === 0x80)
    const own = expectTag(parseDer(offered.value), tags.octetString, 'a key identifier')
    if (id && hex(id.value) !== hex(own.value)) return false
  }
  const hash = signatureHashes[certificate.signatureAlgorithm]
  if (hash === undefined) return false
  return verifyBytes(issuer.key, certificate.tbs.bytes, certificate.signature, hash)
}

const pemPattern = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g

/** The certificates of a PEM file, as DER, in order. */
export function certificatesInPem(pem: string): Uint8Array[] {
  return [...pem.matchAll(pemPattern)].map((match) => Buffer.from(match[1]!, 'base64'))
}
