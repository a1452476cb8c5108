import { createHash } from 'node:crypto'
import type { Json } from '#base/index.ts'
import { formatPem, type KeyAlgorithm, type PublicKey, publicKeyPem } from '#keys/index.ts'
import { isObject } from '#oci/index.ts'
import { failure } from '../codes.ts'
import { messageHashes } from './message-hashes.ts'
import type { SignedBy } from './signatory.ts'
import {
  answerInvalid,
  answerJson,
  askService,
  type ServiceAnswer,
  type ServiceLimits,
  serviceRefusal,
  serviceUrl,
} from './signing-service.ts'
import type { LogEntryJson, SignedThing, Witness } from './witness.ts'

const who = 'the transparency log'
const json = { 'content-type': 'application/json', accept: 'application/json' }

export interface LogOptions {
  readonly limits?: ServiceLimits
}

/**
 * A Rekor, version 1 or 2 of its API. Waits until the entry is in the log.
 *
 * @throws SIGNING_URL_INVALID
 */
export function transparencyLog(url: string, version: 1 | 2, options: LogOptions = {}): Witness {
  const base = serviceUrl(url)
  const enter = version === 1 ? enterVersion1 : enterVersion2
  return {
    testify: async (thing, { signal } = {}) => ({
      kind: 'log',
      entry: await enter(base, thing, { signal, ...options }),
    }),
  }
}

type CallRest = LogOptions & { readonly signal: AbortSignal | undefined }

/**
 * openapi.yaml of sigstore/rekor: a `dsse` entry for an envelope, a `hashedrekord` for a message.
 *
 * @throws SIGNING_UNSUPPORTED for keys that the log cannot check
 */
async function enterVersion1(base: string, thing: SignedThing, rest: CallRest): Promise<LogEntryJson> {
  const url = `${base}/api/v1/log/entries`
  const { algorithm } = thing.by.key
  if (thing.kind === 'envelope' && (algorithm === 'ecdsa-p384' || algorithm === 'ecdsa-p521')) {
    throw failure(
      'SIGNING_UNSUPPORTED',
      `Rekor 1 checks envelopes with SHA-256 alone, and ${algorithm} has another hash`,
    )
  }
  const verifier = Buffer.from(pemOf(thing.by)).toString('base64')
  const body = JSON.stringify(
    thing.kind === 'envelope' ? dsseEntry(thing, verifier) : hashEntry(thing, verifier),
  )
  let answer = await askService({ who, url, headers: json, body, ...rest })
  if (answer.status === 409) answer = await existing(url, answer, rest)
  if (answer.status !== 200 && answer.status !== 201) throw serviceRefusal(who, answer)
  return entryOfVersion1(answerJson(who, answer.bytes))
}

/** The same signature was entered before: the log says where. */
async function existing(url: string, answer: ServiceAnswer, rest: CallRest): Promise<ServiceAnswer> {
  const id = answer.headers.get('location')?.split('/').pop() ?? ''
  if (!/^[0-9a-f]{64,80}$/.test(id)) throw serviceRefusal(who, answer)
  return askService({ who, url: `${url}/${id}`, method: 'GET', headers: json, ...rest })
}

const dsseEntry = (thing: SignedThing & { kind: 'envelope' }, verifier: string) => ({
  apiVersion: '0.0.1',
  kind: 'dsse',
  spec: { proposedContent: { envelope: JSON.stringify(thing.envelope), verifiers: [verifier] } },
})

function hashEntry({ message, signature, by }: SignedThing, verifier: string) {
  const { name } = hashFor(by.key)
  return {
    apiVersion: '0.0.1',
    kind: 'hashedrekord',
    spec: {
      data: { hash: { algorithm: name, value: createHash(name).update(message).digest('hex') } },
      signature: {
        content: Buffer.from(signature).toString('base64'),
        publicKey: { content: verifier },
      },
    },
  }
}

/** `{UUID: {body, integratedTime, logID, logIndex, verification}}`. @throws SIGNING_SERVICE_ANSWER_INVALID */
function entryOfVersion1(value: Json): LogEntryJson {
  const [entry, ...more] = isObject(value) ? Object.values(value) : []
  if (!isObject(entry) || more.length > 0) throw answerInvalid(who, 'it is not one entry')
  const { body, integratedTime, logID, logIndex, verification } = entry
  const { inclusionProof, signedEntryTimestamp } = isObject(verification) ? verification : {}
  if (
    typeof body !== 'string' ||
    typeof logID !== 'string' ||
    !Number.isSafeInteger(integratedTime) ||
    !Number.isSafeInteger(logIndex)
  ) {
    throw answerInvalid(who, 'the entry lacks what every entry has')
  }
  const { kind, apiVersion } = bodyOf(body)
  return {
    logIndex: String(logIndex),
    logId: { keyId: hexToBase64(logID) },
    kindVersion: { kind, version: apiVersion },
    integratedTime: String(integratedTime),
    ...(typeof signedEntryTimestamp === 'string' && { inclusionPromise: { signedEntryTimestamp } }),
    ...(isObject(inclusionProof) && { inclusionProof: proofOfVersion1(inclusionProof) }),
    canonicalizedBody: body,
  }
}

function proofOfVersion1({ logIndex, rootHash, treeSize, hashes, checkpoint }: { [key: string]: Json }) {
  if (
    typeof rootHash !== 'string' ||
    typeof checkpoint !== 'string' ||
    !Number.isSafeInteger(logIndex) ||
    !Number.isSafeInteger(treeSize) ||
    !isTexts(hashes ?? [])
  ) {
    throw answerInvalid(who, 'the proof of inclusion is not whole')
  }
  return {
    logIndex: String(logIndex),
    rootHash: hexToBase64(rootHash),
    treeSize: String(treeSize),
    hashes: ((hashes ?? []) as string[]).map(hexToBase64),
    checkpoint: { envelope: checkpoint },
  }
}

/**
 * rekor-tiles, CLIENTS.md: entries are `hashedrekord` alone; for an envelope the hash is over what DSSE signs. The
 * answer is the entry as bundles hold it.
 *
 * @throws SIGNING_UNSUPPORTED for Ed25519, which signs no hash
 */
async function enterVersion2(base: string, thing: SignedThing, rest: CallRest): Promise<LogEntryJson> {
  const { by, message, signature } = thing
  const keyDetails = detailsOf(by.key)
  const verifier = by.certificate
    ? { x509Certificate: { rawBytes: Buffer.from(by.certificate).toString('base64') } }
    : { publicKey: { rawBytes: Buffer.from(by.key.spki).toString('base64') } }
  const request = {
    hashedRekordRequestV002: {
      digest: createHash(hashFor(by.key).name).update(message).digest('base64'),
      signature: {
        content: Buffer.from(signature).toString('base64'),
        verifier: { ...verifier, keyDetails },
      },
    },
  }
  const url = `${base}/api/v2/log/entries`
  const answer = await askService({ who, url, headers: json, body: JSON.stringify(request), ...rest })
  if (answer.status !== 200 && answer.status !== 201) throw serviceRefusal(who, answer)
  return entryOfVersion2(answerJson(who, answer.bytes))
}

/** @throws SIGNING_SERVICE_ANSWER_INVALID */
function entryOfVersion2(value: Json): LogEntryJson {
  if (!isObject(value)) throw answerInvalid(who, 'it is not an entry')
  const { logId, kindVersion, inclusionProof, canonicalizedBody } = value
  const { keyId } = isObject(logId) ? logId : {}
  const { kind, version } = isObject(kindVersion) ? kindVersion : {}
  if (
    typeof canonicalizedBody !== 'string' ||
    typeof keyId !== 'string' ||
    typeof kind !== 'string' ||
    typeof version !== 'string' ||
    !isObject(inclusionProof)
  ) {
    throw answerInvalid(who, 'the entry lacks what every entry has')
  }
  const { rootHash, hashes = [], checkpoint } = inclusionProof
  const envelope = isObject(checkpoint) ? checkpoint.envelope : undefined
  if (typeof rootHash !== 'string' || typeof envelope !== 'string' || !isTexts(hashes)) {
    throw answerInvalid(who, 'the proof of inclusion is not whole')
  }
  return {
    logIndex: whole(value.logIndex),
    logId: { keyId },
    kindVersion: { kind, version },
    inclusionProof: {
      logIndex: whole(inclusionProof.logIndex),
      rootHash,
      treeSize: whole(inclusionProof.treeSize),
      hashes: hashes as string[],
      checkpoint: { envelope },
    },
    canonicalizedBody,
  }
}

/** Protobuf writes 64-bit numbers as texts, and leaves zero out. */
function whole(value: Json | undefined): string {
  const text = value === undefined ? '0' : String(value)
  if (!/^\d{1,19}$/.test(text)) throw answerInvalid(who, 'a number is none')
  return text
}

function bodyOf(body: string): { kind: string; apiVersion: string } {
  const value = answerJson(who, Buffer.from(body, 'base64'))
  const { kind, apiVersion } = isObject(value) ? value : {}
  if (typeof kind !== 'string' || typeof apiVersion !== 'string') {
    throw answerInvalid(who, 'the body of the entry tells no kind')
  }
  return { kind, apiVersion }
}

const isTexts = (value: Json): boolean =>
  Array.isArray(value) && value.every((item) => typeof item === 'string')

const hexToBase64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64')

const pemOf = ({ certificate, key }: SignedBy): string =>
  certificate ? formatPem('CERTIFICATE', certificate) : publicKeyPem(key)

/** @throws SIGNING_UNSUPPORTED */
function hashFor(key: PublicKey) {
  if (key.algorithm === 'ed25519') {
    throw failure(
      'SIGNING_UNSUPPORTED',
      'a log takes no Ed25519 signature over a hash (that would be Ed25519ph, which readers of keys do not check)',
      { hint: 'Sign with a P-256 key where there is a log, or without a log.' },
    )
  }
  return messageHashes[key.algorithm]
}

/** dev.sigstore.common.v1.PublicKeyDetails. @throws SIGNING_UNSUPPORTED */
function detailsOf(key: PublicKey): string {
  if (key.algorithm !== 'rsa') return curveDetails[key.algorithm]
  const bits = key.key.asymmetricKeyDetails?.modulusLength
  if (bits !== 2048 && bits !== 3072 && bits !== 4096) {
    throw failure('SIGNING_UNSUPPORTED', `the log takes RSA keys of 2048, 3072 and 4096 bits, not ${bits}`)
  }
  return `PKIX_RSA_PKCS1V15_${bits}_SHA256`
}

const curveDetails: Readonly<Record<Exclude<KeyAlgorithm, 'rsa'>, string>> = {
  'ecdsa-p256': 'PKIX_ECDSA_P256_SHA_256',
  'ecdsa-p384': 'PKIX_ECDSA_P384_SHA_384',
  'ecdsa-p521': 'PKIX_ECDSA_P521_SHA_512',
  ed25519: 'PKIX_ED25519',
}
