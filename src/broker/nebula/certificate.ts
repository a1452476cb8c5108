import { createHash } from 'node:crypto'
import { type LeaseLimits, leaseLimits } from '#base/index.ts'
import { derReader, formatPem, type PemBlock, parsePem } from '#keys/index.ts'
import type { Network } from '../leases/index.ts'
import { readV1, signedV1, writeV1 } from './certificate-v1.ts'
import { readV2, signedV2, writeV2 } from './certificate-v2.ts'
import { failure } from './codes.ts'
import type { NebulaCurve } from './node-key.ts'
import { NotProtobuf } from './protobuf.ts'
import { otherForm } from './signature.ts'

export type NebulaVersion = 1 | 2

/** What a Nebula certificate says, before it is signed. Times are whole seconds since 1970. */
export interface NebulaDetails {
  readonly version: NebulaVersion
  readonly curve: NebulaCurve
  readonly name: string
  readonly networks: readonly Network[]
  readonly unsafeNetworks: readonly Network[]
  readonly groups: readonly string[]
  readonly isCa: boolean
  readonly notBefore: number
  readonly notAfter: number
  /** 32 bytes, or a point of P-256 in 65. Of an authority for signing, of a node for key agreement. */
  readonly publicKey: Uint8Array
  /** The fingerprint of the authority's certificate, or none: an authority signs its own. */
  readonly issuer?: string
}

export interface NebulaCertificate extends NebulaDetails {
  /** Ed25519 in 64 bytes, or ECDSA with SHA-256 in DER. */
  readonly signature: Uint8Array
}

/** What a document that is read or written may not be. Nobody outside of the two formats throws it. */
export class NotCertificate extends Error {}

const labels = { 1: 'NEBULA CERTIFICATE', 2: 'NEBULA CERTIFICATE V2' } as const

/**
 * A certificate from its bytes. Stricter than Nebula's own reader: only what our writer would write again is read, so
 * that a certificate has one fingerprint. In version 2 that means networks in order and no fields that are not known.
 *
 * @throws NEBULA_CERTIFICATE_INVALID
 */
export function parseNebulaCertificate(
  version: NebulaVersion,
  bytes: Uint8Array,
  limits: LeaseLimits = leaseLimits,
): NebulaCertificate {
  if (bytes.length > limits.certificateBytes) {
    throw invalid(`${bytes.length} bytes are more than the ${limits.certificateBytes} of a certificate`)
  }
  try {
    const certificate =
      version === 1 ? readV1(bytes, limits.certificateEntries) : readV2(bytes, limits.certificateEntries)
    checkDetails(certificate)
    if (!Buffer.from(formatNebulaCertificate(certificate)).equals(bytes)) {
      throw new NotCertificate('it is not in its only encoding')
    }
    return certificate
  } catch (error) {
    if (error instanceof NotProtobuf || error instanceof derReader.NotDer || error instanceof NotCertificate)
      throw invalid(error.message)
    throw error
  }
}

/** The bytes of a certificate: what its PEM holds. */
export const formatNebulaCertificate = (certificate: NebulaCertificate): Uint8Array =>
  certificate.version === 1 ? writeV1(certificate) : writeV2(certificate)

/** What is signed. */
export const signedPart = (details: NebulaDetails): Uint8Array =>
  details.version === 1 ? signedV1(details) : signedV2(details)

/**
 * The certificates of a text in PEM, in order; at least one.
 * @throws NEBULA_CERTIFICATE_INVALID
 */
export function parseNebulaPem(text: string, limits: LeaseLimits = leaseLimits): NebulaCertificate[] {
  const most = limits.certificateBytes * 2 * limits.issued
  if (text.length > most) throw invalid(`the text is longer than ${most} characters`)
  let blocks: PemBlock[]
  try {
    blocks = parsePem(text)
  } catch (cause) {
    throw invalid('the text is not PEM', cause)
  }
  if (blocks.length === 0) throw invalid('the text holds no certificate')
  return blocks.map(({ label, bytes }) => {
    if (label === labels[1]) return parseNebulaCertificate(1, bytes, limits)
    if (label === labels[2]) return parseNebulaCertificate(2, bytes, limits)
    throw invalid(`${label} is no Nebula certificate`)
  })
}

export const nebulaPem = (certificate: NebulaCertificate): string =>
  formatPem(labels[certificate.version], formatNebulaCertificate(certificate))

/** Lower-case hex of SHA-256 over the certificate: what `issuer` and blocklists name it by. */
export function fingerprintOf(certificate: NebulaCertificate): string {
  const hash = createHash('sha256')
  // Version 2 hashes what is signed and the signature: the key travels apart from the rest in handshakes.
  if (certificate.version === 1) hash.update(writeV1(certificate))
  else hash.update(signedV2(certificate)).update(certificate.signature)
  return hash.digest('hex')
}

/**
 * All fingerprints that a certificate can be shown under: an ECDSA signature (r, s) is as good with s negated, by whoever
 * carries it, and Nebula before 1.10.3 looks for the one form that it sees in its blocklist.
 */
export function fingerprintsOf(certificate: NebulaCertificate): string[] {
  const fingerprint = fingerprintOf(certificate)
  if (certificate.curve !== 'P256') return [fingerprint]
  const other = fingerprintOf({ ...certificate, signature: otherForm(certificate.signature) })
  return [...new Set([fingerprint, other])]
}

/** What holds for every certificate that is read or written. @throws NotCertificate */
export function checkDetails(details: NebulaDetails): void {
  const { name, networks, unsafeNetworks, groups, isCa, notBefore, notAfter, publicKey, curve, issuer } =
    details
  const keyBytes = curve === 'P256' ? 65 : 32
  const nameBytes = Buffer.byteLength(name)
  const all = [...networks, ...unsafeNetworks]
  const reason =
    // Version 1 has no such limit in its format; Nebula's own of version 2 holds for both here.
    nameBytes === 0 || nameBytes > 253 || !name.isWellFormed()
      ? 'a name has 1 to 253 bytes'
      : groups.some((group) => group === '' || !group.isWellFormed())
        ? 'a group has no name'
        : publicKey.length !== keyBytes
          ? `the public key does not have ${keyBytes} bytes`
          : !isCa && networks.length === 0
            ? 'a node has at least one address'
            : networks.some(({ address }) => address === 0n)
              ? 'the zero address is nobody’s'
              : details.version === 1 && all.some(({ family }) => family === 6)
                ? 'version 1 has no IPv6'
                : !isSeconds(notBefore) || !isSeconds(notAfter)
                  ? 'a time is out of range'
                  : isCa !== (issuer === undefined)
                    ? 'an authority signs its own certificate, and no other'
                    : undefined
  if (reason !== undefined) throw new NotCertificate(reason)
  if (isCa || details.version === 1) return
  for (const { family } of unsafeNetworks) {
    if (!networks.some((network) => network.family === family))
      throw new NotCertificate('a node routes only networks of a family in which it has an address')
  }
}

/** The seconds that a Date can hold. */
const isSeconds = (value: number) => Number.isSafeInteger(value) && value >= 0 && value <= 8_640_000_000_000

const invalid = (reason: string, cause?: unknown) =>
  failure('NEBULA_CERTIFICATE_INVALID', `not a Nebula certificate: ${reason}`, { cause })
