import { createHash } from 'node:crypto'
import { limits } from '#base/index.ts'
import { failure } from '../codes.ts'
import { protobufHashes } from './bundle.ts'
import { hex } from './der.ts'
import { Fields, jsonIn } from './json-fields.ts'
import type { LogEntry } from './log-entry.ts'
import type { Signed } from './signed.ts'

/** Who signed, as a log entry has to name it: a certificate or a bare key, in DER. */
export interface SignerBytes {
  readonly der: Uint8Array
  readonly isCertificate: boolean
}

const mismatch = (what: string) =>
  failure('LOG_PROOF_INVALID', `the log holds another ${what} than the one here`)

/**
 * Compares what the log holds with what is judged: the signature, what it is over, and who made it. A log proves
 * only its own entry; without this comparison any entry would do.
 *
 * @throws LOG_PROOF_INVALID, PROOF_MALFORMED
 */
export function checkLogBody(entry: LogEntry, signed: Signed, signer: SignerBytes): void {
  const body = new Fields(jsonIn(entry.body, limits.proofBytes, 'a log entry'), 'a log entry')
  const kind = body.text('kind')
  const version = body.text('apiVersion')
  if (entry.kind && (entry.kind.kind !== kind || entry.kind.version !== version))
    throw mismatch('kind of entry')
  const compare = comparisons[`${kind} ${version}`]
  if (!compare) throw failure('LOG_PROOF_INVALID', `a log entry of the kind ${kind} ${version} is not known`)
  compare(body.object('spec'), signed, signer)
}

type Comparison = (spec: Fields, signed: Signed, signer: SignerBytes) => void

const comparisons: Readonly<Record<string, Comparison>> = {
  'hashedrekord 0.0.1': (spec, signed, signer) => {
    const signature = spec.object('signature')
    checkSignature(signature.base64('content'), signed)
    checkPem(signature.object('publicKey').base64('content'), signer)
    checkHash(spec.object('data').object('hash'), signed.digest)
  },
  'hashedrekord 0.0.2': (spec, signed, signer) => {
    const record = spec.object('hashedRekordV002')
    const signature = record.object('signature')
    checkSignature(signature.base64('content'), signed)
    checkVerifier(signature.object('verifier'), signer)
    checkDigest(record.object('data'), signed.digest)
  },
  'dsse 0.0.1': (spec, signed, signer) => {
    const signature = onlySignature(spec)
    checkSignature(signature.base64('signature'), signed)
    checkPem(signature.base64('verifier'), signer)
    checkHash(spec.object('payloadHash'), payloadDigest(signed))
  },
  'dsse 0.0.2': (spec, signed, signer) => {
    const record = spec.object('dsseV002')
    const signature = onlySignature(record)
    checkSignature(signature.base64('content'), signed)
    checkVerifier(signature.object('verifier'), signer)
    checkDigest(record.object('payloadHash'), payloadDigest(signed))
  },
  // Holds the whole envelope's hash, not the signature: the envelope is compared as it was written.
  'intoto 0.0.1': (spec, signed, signer) => {
    const content = spec.object('content')
    checkPem(spec.base64('publicKey'), signer)
    checkHash(content.object('payloadHash'), payloadDigest(signed))
    const { envelope } = signed
    if (!envelope) throw mismatch('envelope')
    checkHash(content.object('hash'), (name) => createHash(name).update(envelope).digest())
  },
  'intoto 0.0.2': (spec, signed, signer) => {
    const content = spec.object('content')
    const signature = onlySignature(content.object('envelope'))
    // Twice encoded, by a mistake that became the format.
    const once = Buffer.from(signature.base64('sig')).toString('latin1')
    checkSignature(Buffer.from(once, 'base64'), signed)
    checkPem(signature.base64('publicKey'), signer)
    checkHash(content.object('payloadHash'), payloadDigest(signed))
  },
}

function onlySignature(holder: Fields): Fields {
  const [signature, more] = holder.list('signatures', 16)
  if (more) throw mismatch('number of signatures')
  return new Fields(signature, 'a log entry’s signature')
}

function payloadDigest({ payload }: Signed): Signed['digest'] {
  if (!payload) throw mismatch('kind of content')
  return (name) => createHash(name).update(payload).digest()
}

function checkSignature(logged: Uint8Array, { signature }: Signed): void {
  if (Buffer.compare(logged, signature) !== 0) throw mismatch('signature')
}

function checkHash(hash: Fields, digest: Signed['digest']): void {
  const name = hash.text('algorithm')
  if (!/^sha(256|384|512)$/.test(name)) throw mismatch('kind of hash')
  checkBytes(hash.text('value'), digest(name))
}

function checkDigest(hash: Fields, digest: Signed['digest']): void {
  const name = protobufHashes.get(hash.text('algorithm'))
  if (!name) throw mismatch('kind of hash')
  checkBytes(hex(hash.base64('digest')), digest(name))
}

function checkBytes(logged: string, digest: Uint8Array | undefined): void {
  if (!digest || logged !== hex(digest)) throw mismatch('content')
}

function checkPem(pem: Uint8Array, signer: SignerBytes): void {
  const text = Buffer.from(pem).toString('latin1')
  const match = /^-----BEGIN ([A-Z ]{1,40})-----([A-Za-z0-9+/=\s]+)-----END \1-----\s*$/.exec(text)
  const label = signer.isCertificate ? 'CERTIFICATE' : 'PUBLIC KEY'
  if (match?.[1] !== label) throw mismatch('signer')
  checkSigner(Buffer.from(match[2]!, 'base64'), signer)
}

function checkVerifier(verifier: Fields, signer: SignerBytes): void {
  const named = verifier.object(signer.isCertificate ? 'x509Certificate' : 'publicKey')
  checkSigner(named.base64('rawBytes'), signer)
}

function checkSigner(logged: Uint8Array, { der }: SignerBytes): void {
  if (Buffer.compare(logged, der) !== 0) throw mismatch('signer')
}
