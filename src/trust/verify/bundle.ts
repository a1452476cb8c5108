import { limits } from '#base/index.ts'
import { failure } from '../codes.ts'
import { parseCertificate } from './certificate.ts'
import type { Claim, ClaimedContent, ClaimedSigner } from './claim.ts'
import { base64, hex, malformed } from './der.ts'
import { Fields, jsonIn } from './json-fields.ts'
import type { InclusionProof, LogEntry } from './log-entry.ts'

const oldType = /^application\/vnd\.dev\.sigstore\.bundle\+json;version=0\.([123])$/
const newType = /^application\/vnd\.dev\.sigstore\.bundle\.v0\.(3)(\.\d{1,4})?\+json$/
/** HashAlgorithm of protobuf's JSON. A map: the names looked up are a stranger's, `constructor` among them. */
export const protobufHashes: ReadonlyMap<string, string> = new Map([
  ['SHA2_256', 'sha256'],
  ['SHA2_384', 'sha384'],
  ['SHA2_512', 'sha512'],
])

/** Reads a Sigstore bundle of version 0.1, 0.2 or 0.3 (dev.sigstore.bundle.v1.Bundle). @throws PROOF_MALFORMED, PROOF_TOO_LARGE */
export function readBundle(bytes: Uint8Array, maxBytes: number = limits.proofBytes): Claim {
  if (bytes.length > maxBytes)
    throw failure('PROOF_TOO_LARGE', `a bundle of ${bytes.length} bytes is over the limit of ${maxBytes}`)
  const bundle = new Fields(jsonIn(bytes, maxBytes, 'a bundle'), 'the bundle').only(
    'mediaType',
    'verificationMaterial',
    'messageSignature',
    'dsseEnvelope',
  )
  const mediaType = bundle.text('mediaType')
  const version = Number((newType.exec(mediaType) ?? oldType.exec(mediaType))?.[1])
  if (!version) throw malformed(`the bundle is of an unknown type ${JSON.stringify(mediaType.slice(0, 100))}`)
  const material = bundle
    .object('verificationMaterial')
    .only('certificate', 'publicKey', 'x509CertificateChain', 'tlogEntries', 'timestampVerificationData')
  const stamps = material.optionalObject('timestampVerificationData')?.only('rfc3161Timestamps')
  return {
    ...contentOf(bundle),
    signer: signerOf(material, version),
    entries: material
      .list('tlogEntries', limits.proofParts)
      .map((entry) => entryOf(new Fields(entry, 'a log entry'), version)),
    timeStamps: (stamps?.list('rfc3161Timestamps', limits.proofParts) ?? []).map((stamp) =>
      new Fields(stamp, 'a time stamp').only('signedTimestamp').base64('signedTimestamp'),
    ),
  }
}

function contentOf(bundle: Fields): { content: ClaimedContent; signature: Uint8Array } {
  const message = bundle.optionalObject('messageSignature')?.only('messageDigest', 'signature')
  const envelope = bundle.optionalObject('dsseEnvelope')
  if (envelope && message) throw malformed('the bundle holds two kinds of content')
  if (envelope) return envelopeOf(envelope)
  if (!message) throw malformed('the bundle holds neither envelope nor signature')
  const digest = message.optionalObject('messageDigest')?.only('algorithm', 'digest')
  const hash = digest && protobufHashes.get(digest.text('algorithm'))
  if (digest && !hash) throw malformed('the bundle’s digest is of an unknown kind')
  return {
    signature: message.base64('signature'),
    content: { kind: 'content', ...(digest && hash && { digest: { hash, bytes: digest.base64('digest') } }) },
  }
}

/**
 * One signature exactly: the bundle format says so, and of several only some of which are good nobody could tell
 * what the envelope's being good means.
 */
export function envelopeOf(envelope: Fields): {
  content: ClaimedContent & { kind: 'envelope' }
  signature: Uint8Array
} {
  envelope.only('payload', 'payloadType', 'signatures')
  const [first, more] = envelope.list('signatures', limits.proofParts)
  if (!first || more) throw malformed('an envelope must hold exactly one signature')
  const signature = new Fields(first, 'the envelope’s signature').only('sig', 'keyid').base64('sig')
  const payload = envelope.base64('payload')
  return { signature, content: { kind: 'envelope', payloadType: envelope.text('payloadType'), payload } }
}

function signerOf(material: Fields, version: number): ClaimedSigner {
  const kinds = ['certificate', 'publicKey', 'x509CertificateChain'].filter((name) => material.has(name))
  if (kinds.length !== 1) throw malformed('the bundle must name exactly one certificate or key')
  if (kinds[0] === 'publicKey') {
    const key = material.object('publicKey').only('hint')
    return { kind: 'key', ...(key.has('hint') && key.value('hint') !== '' && { hint: key.text('hint') }) }
  }
  if (kinds[0] === 'certificate')
    return { kind: 'certificate', der: material.object('certificate').only('rawBytes').base64('rawBytes') }
  if (version >= 3) throw malformed('a bundle of version 0.3 holds one certificate, not a chain')
  const chain = material
    .object('x509CertificateChain')
    .only('certificates')
    .list('certificates', limits.proofParts)
  const [leaf, ...rest] = chain.map((one) =>
    new Fields(one, 'a certificate').only('rawBytes').base64('rawBytes'),
  )
  if (!leaf) throw malformed('the bundle’s chain of certificates is empty')
  for (const der of rest) {
    // The format forbids roots in a bundle: what is trusted comes from the verifier alone.
    const { issuer, subject } = parseCertificate(der)
    if (issuer === subject) throw malformed('the bundle’s chain of certificates holds a root')
  }
  return { kind: 'certificate', der: leaf }
}

function entryOf(entry: Fields, version: number): LogEntry {
  entry.only(
    'logIndex',
    'logId',
    'kindVersion',
    'integratedTime',
    'inclusionPromise',
    'inclusionProof',
    'canonicalizedBody',
  )
  const kind = entry.optionalObject('kindVersion')?.only('kind', 'version')
  const promise = entry
    .optionalObject('inclusionPromise')
    ?.only('signedEntryTimestamp')
    .base64('signedEntryTimestamp')
  const inclusion = inclusionOf(entry.optionalObject('inclusionProof'))
  // Version 0.1 stood on promises and its proofs may lack the checkpoint; from 0.2 on the proof is a must.
  if (version === 1 ? !promise && !inclusion : !inclusion)
    throw malformed('a log entry lacks the proof that its bundle’s version asks for')
  return {
    index: entry.int64('logIndex'),
    logId: hex(entry.object('logId').only('keyId').base64('keyId')),
    ...(kind && { kind: { kind: kind.text('kind'), version: kind.text('version') } }),
    integratedTime: entry.int64('integratedTime'),
    ...(promise && { promise }),
    ...(inclusion && { inclusion }),
    body: entry.base64('canonicalizedBody'),
  }
}

function inclusionOf(proof: Fields | undefined): InclusionProof | undefined {
  proof?.only('logIndex', 'rootHash', 'treeSize', 'hashes', 'checkpoint')
  if (!proof?.has('checkpoint')) return undefined
  return {
    index: proof.int64('logIndex'),
    size: proof.int64('treeSize'),
    root: proof.base64('rootHash'),
    hashes: proof.list('hashes', 64).map((hash) => {
      if (typeof hash !== 'string') throw malformed('an inclusion proof holds something else than hashes')
      return base64(hash, 'a hash of an inclusion proof')
    }),
    checkpoint: proof.object('checkpoint').only('envelope').text('envelope'),
  }
}
