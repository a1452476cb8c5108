import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { isFailure, limits } from '#base/index.ts'
import { failure } from '../codes.ts'
import type { NamedRoot } from '../types.ts'
import { parseCertificate } from './certificate.ts'
import type { CertificateAuthority } from './certificate-chain.ts'
import type { TrustedLog } from './certificate-log.ts'
import { hex, malformed } from './der.ts'
import { Fields } from './json-fields.ts'
import type { TimeStampAuthority } from './time-stamp.ts'

/** A Sigstore trusted root, taken apart: what signatures by certificates are held against. */
export interface TrustedRoot {
  readonly name: string
  /** The issuers that it may vouch for; all where there is none. */
  readonly issuers: ReadonlySet<string> | undefined
  readonly authorities: readonly CertificateAuthority[]
  readonly logs: readonly TrustedLog[]
  readonly certificateLogs: readonly TrustedLog[]
  readonly timeStampAuthorities: readonly TimeStampAuthority[]
}

const mediaTypes = /^application\/vnd\.dev\.sigstore\.trustedroot(\+json;version=0\.[12]|\.v0\.[12]\+json)$/

/** Reads dev.sigstore.trustroot.v1.TrustedRoot. @throws TRUST_ROOT_INVALID */
export function parseTrustedRoot({ name, root, issuers }: NamedRoot): TrustedRoot {
  try {
    const fields = new Fields(root, 'the trusted root')
    const mediaType = fields.text('mediaType')
    if (!mediaTypes.test(mediaType))
      throw malformed(`it is of an unknown type ${JSON.stringify(mediaType.slice(0, 100))}`)
    const logs = fields.list('tlogs', limits.proofParts).map((log) => logOf(new Fields(log, 'a log')))
    const certificateLogs = fields
      .list('ctlogs', limits.proofParts)
      .map((log) => logOf(new Fields(log, 'a certificate log')))
    const asked = { asksForLog: logs.length > 0, asksForCertificateLog: certificateLogs.length > 0 }
    return {
      name,
      issuers: issuers && new Set(issuers),
      logs,
      certificateLogs,
      authorities: fields
        .list('certificateAuthorities', limits.proofParts)
        .map((one) => ({ ...authorityOf(new Fields(one, 'a certificate authority')), ...asked })),
      timeStampAuthorities: fields
        .list('timestampAuthorities', limits.proofParts)
        .map((one) => timeStampAuthorityOf({ ...authorityOf(new Fields(one, 'an authority')), ...asked })),
    }
  } catch (cause) {
    if (!isFailure(cause, 'PROOF_MALFORMED')) throw cause
    throw failure('TRUST_ROOT_INVALID', `the trusted root ${name} cannot be used: ${cause.message}`, {
      cause,
    })
  }
}

function logOf(log: Fields): TrustedLog {
  const publicKey = log.object('publicKey')
  const spki = publicKey.base64('rawBytes')
  const ids = ['logId', 'checkpointKeyId'].flatMap((name) => {
    const id = log.optionalObject(name)
    return id ? [hex(id.base64('keyId'))] : []
  })
  const { validFrom, validUntil } = validity(publicKey.optionalObject('validFor'))
  const key = keyOf(spki, publicKey.has('keyDetails') ? publicKey.text('keyDetails') : '')
  const own = createHash('sha256')
    .update(key.export({ format: 'der', type: 'spki' }))
    .digest('hex')
  return { ids: [...new Set([...ids, own])], key, validFrom, validUntil }
}

/** SPKI, or for the oldest RSA entries PKCS #1 (dev.sigstore.common.v1.PublicKeyDetails). */
function keyOf(bytes: Uint8Array, details: string): KeyObject {
  try {
    const type = details.startsWith('PKCS1_RSA') ? 'pkcs1' : 'spki'
    return createPublicKey({ key: Buffer.from(bytes), format: 'der', type })
  } catch (cause) {
    throw malformed('a key in it cannot be read', cause)
  }
}

function authorityOf(authority: Fields) {
  const chain = authority
    .object('certChain')
    .list('certificates', limits.proofParts)
    .map((one) => parseCertificate(new Fields(one, 'a certificate').base64('rawBytes')))
  if (chain.length === 0) throw malformed('an authority has no certificate')
  return { chain, ...validity(authority.optionalObject('validFor')) }
}

/** The chain of a time-stamp authority begins with the certificate that signs stamps, where it is known beforehand. */
function timeStampAuthorityOf(authority: CertificateAuthority): TimeStampAuthority {
  const [first, ...rest] = authority.chain
  const isRoot = first?.issuer === first?.subject
  if (!first || isRoot) return { ...authority, leaf: undefined }
  return isAuthority(first) ? { ...authority, leaf: undefined } : { ...authority, chain: rest, leaf: first }
}

const isAuthority = (certificate: ReturnType<typeof parseCertificate>): boolean => {
  const basic = certificate.extensions.get('551d13')
  // BasicConstraints ::= SEQUENCE { cA BOOLEAN DEFAULT FALSE, ... }: an empty sequence is no authority.
  return basic !== undefined && basic.value.length > 2
}

/** A log or authority whose begin is not told is not trusted at any time. */
function validity(range: Fields | undefined): { validFrom: number; validUntil: number } {
  const start = range?.has('start') ? timeOf(range.text('start')) : Number.POSITIVE_INFINITY
  const end = range?.has('end') ? timeOf(range.text('end')) : Number.POSITIVE_INFINITY
  return { validFrom: start, validUntil: end }
}

function timeOf(text: string): number {
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(time)) throw malformed('a time in it is none')
  return time
}
