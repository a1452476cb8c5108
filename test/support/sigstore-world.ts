import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { initializeCA, initializeCTLog, initializeTSA } from '@sigstore/mock'
import { canonicalJson, type Json } from '../../src/base/index.ts'
import { parsePublicKey, privateKeySigner, publicKeyPem } from '../../src/keys/index.ts'
import type { Digest } from '../../src/oci/index.ts'
import {
  formatStatement,
  imageSignatureType,
  type Signatory,
  type SignedBy,
  type SigningMeans,
  sealMessage,
  sealStatement,
  type Witness,
} from '../../src/trust/index.ts'

export type KeyPair = { readonly publicKey: KeyObject; readonly privateKey: KeyObject }
type JsonObject = { readonly [name: string]: Json }

export const newPair = (): KeyPair => generateKeyPairSync('ec', { namedCurve: 'P-256' })
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
const sha256 = (...parts: readonly (Uint8Array | string)[]): Buffer => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}
const spkiOf = ({ publicKey }: KeyPair): Buffer<ArrayBuffer> =>
  Buffer.from(publicKey.export({ format: 'der', type: 'spki' }))
const pem = (label: string, der: Uint8Array): string =>
  `-----BEGIN ${label}-----\n${base64(der).replaceAll(/.{1,64}/g, '$&\n')}-----END ${label}-----\n`

/** What differs from a world in which all is well. */
export interface Bent {
  /** By which key a log promises; its own else. */
  readonly promiser?: KeyPair
  /** When the log took it, and when the stamp was made: milliseconds from now. */
  readonly loggedMs?: number
  readonly subjectAltName?: string
  readonly issuer?: string
}

export const identity = 'https://ci.vendor.example/release.yaml'
export const issuer = 'https://accounts.vendor.example'

/**
 * A complete world of keyless signatures, in memory: a certificate authority with a certificate log, a Rekor of
 * either version and a time-stamp authority, and the trusted root that knows them all.
 */
export async function sigstoreWorld() {
  const [certificates, first, second] = [newPair(), newPair(), newPair()]
  const ctLog = await initializeCTLog(certificates)
  const root384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  const ca = await initializeCA(root384, ctLog)
  const unloggedCa = await initializeCA(root384)
  const stamps = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  // One authority for all times: set right before each stamp.
  const clock = new Date()
  const tsa = await initializeTSA(stamps, clock)

  const validFor = { start: '2020-01-01T00:00:00Z' }
  const logOf = (pair: KeyPair): JsonObject => ({
    baseUrl: 'https://log.example',
    hashAlgorithm: 'SHA2_256',
    publicKey: { rawBytes: base64(spkiOf(pair)), keyDetails: 'PKIX_ECDSA_P256_SHA_256', validFor },
    logId: { keyId: base64(sha256(spkiOf(pair))) },
  })
  const chainOf = (...ders: readonly ArrayBufferView[]): JsonObject => ({
    subject: { organization: 'sigstore.mock', commonName: 'sigstore' },
    uri: 'https://ca.example',
    certChain: {
      certificates: ders.map(({ buffer, byteOffset, byteLength }) => ({
        rawBytes: base64(new Uint8Array(buffer, byteOffset, byteLength)),
      })),
    },
    validFor,
  })
  const trustedRoot = {
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: [logOf(first), logOf(second)],
    certificateAuthorities: [chainOf(ca.rootCertificate)],
    ctlogs: [logOf(certificates)],
    timestampAuthorities: [chainOf(tsa.intCertificate, tsa.rootCertificate)],
  }

  /** Somebody with a certificate for a key that lives as long as this. */
  async function signatory({ subjectAltName = identity, issuer: by = issuer }: Bent = {}, isLogged = true) {
    const pair = newPair()
    const made = await (isLogged ? ca : unloggedCa).issueCertificate({
      publicKey: spkiOf(pair),
      subjectAltName,
      extensions: [{ oid: '1.3.6.1.4.1.57264.1.8', value: by }],
    })
    const certificate = new Uint8Array(made.buffer, made.byteOffset, made.byteLength)
    const key = parsePublicKey(Buffer.from(pair.publicKey.export({ format: 'pem', type: 'spki' })))
    const who: Signatory = {
      sign: async (message) => ({
        signature: sign('sha256', message, pair.privateKey),
        by: { key, certificate },
      }),
    }
    return Object.assign(who, { certificate, key })
  }

  const tree = new TestTree()
  /** Rekor of version 1: a promise with a time, and a proof. */
  const rekor = ({ promiser = first, loggedMs = 0 }: Bent = {}): Witness => ({
    async testify(thing) {
      const content =
        thing.kind === 'envelope'
          ? Buffer.from((thing.envelope as { payload: string }).payload, 'base64')
          : thing.message
      const verifier = base64(Buffer.from(signerPem(thing.by)))
      const hash = (bytes: Uint8Array) => ({ algorithm: 'sha256', value: sha256(bytes).toString('hex') })
      const body =
        thing.kind === 'envelope'
          ? {
              apiVersion: '0.0.1',
              kind: 'dsse',
              spec: {
                envelopeHash: hash(Buffer.from(JSON.stringify(thing.envelope))),
                payloadHash: hash(content),
                signatures: [{ signature: base64(thing.signature), verifier }],
              },
            }
          : {
              apiVersion: '0.0.1',
              kind: 'hashedrekord',
              spec: {
                data: { hash: hash(content) },
                signature: { content: base64(thing.signature), publicKey: { content: verifier } },
              },
            }
      const bytes = canonicalJson(body)
      const integratedTime = Math.floor((Date.now() + loggedMs) / 1000)
      const logId = sha256(spkiOf(first))
      const logIndex = 1_000_005
      const promised = canonicalJson({
        body: base64(bytes),
        integratedTime,
        logID: logId.toString('hex'),
        logIndex,
      })
      const entry = {
        logIndex: String(logIndex),
        logId: { keyId: base64(logId) },
        kindVersion: { kind: body.kind, version: body.apiVersion },
        integratedTime: String(integratedTime),
        inclusionPromise: { signedEntryTimestamp: base64(sign('sha256', promised, promiser.privateKey)) },
        // A tree of Rekor 1 has a number, by which cosign tells it from the tiles of version 2.
        inclusionProof: tree.prove(bytes, first, 'log.example - 2605736670972794746'),
        canonicalizedBody: base64(bytes),
      }
      return { kind: 'log', entry }
    },
  })

  /** Rekor of version 2: a proof, and no time. */
  const rekorTiles = (): Witness => ({
    async testify(thing) {
      const { certificate, key } = thing.by
      const rawBytes = base64(certificate ?? key.spki)
      const verifier = {
        keyDetails: 'PKIX_ECDSA_P256_SHA_256',
        ...(certificate ? { x509Certificate: { rawBytes } } : { publicKey: { rawBytes } }),
      }
      const signature = { content: base64(thing.signature), verifier }
      const digest = (bytes: Uint8Array) => ({ algorithm: 'SHA2_256', digest: base64(sha256(bytes)) })
      const isEnvelope = thing.kind === 'envelope'
      const spec: Json = isEnvelope
        ? {
            dsseV002: {
              payloadHash: digest(Buffer.from((thing.envelope as { payload: string }).payload, 'base64')),
              signatures: [signature],
            },
          }
        : { hashedRekordV002: { data: digest(thing.message), signature } }
      const kind = isEnvelope ? 'dsse' : 'hashedrekord'
      const bytes = canonicalJson({ apiVersion: '0.0.2', kind, spec })
      const proof = tree.prove(bytes, second)
      const entry = {
        logIndex: proof.logIndex,
        logId: { keyId: base64(sha256(spkiOf(second))) },
        kindVersion: { kind, version: '0.0.2' },
        integratedTime: '0',
        inclusionProof: proof,
        canonicalizedBody: base64(bytes),
      }
      return { kind: 'log', entry }
    },
  })

  const timeStamps = ({ loggedMs = 0 }: Bent = {}): Witness => ({
    async testify({ signature }) {
      // Whole seconds: the library that is asked beside us reads no other fractions than those of three digits.
      clock.setTime(Math.floor((Date.now() + loggedMs) / 1000) * 1000)
      const response = await tsa.timestamp({
        artifactHash: sha256(signature),
        hashAlgorithmOID: '2.16.840.1.101.3.4.2.1',
        nonce: 7,
        policyOID: '1.3.6.1.4.1.57264.2',
        certReq: true,
      })
      return {
        kind: 'time',
        response: new Uint8Array(response.buffer, response.byteOffset, response.byteLength),
      }
    },
  })

  /** Version 1 as Sigstore's public instance made bundles, version 2 as it makes them now. */
  async function means(version: 1 | 2 = 1, bent: Bent = {}): Promise<SigningMeans> {
    const witnesses = version === 1 ? [rekor(bent)] : [rekorTiles(), timeStamps(bent)]
    return { signatory: await signatory(bent), witnesses }
  }

  return {
    trustedRoot,
    logOf,
    keys: { authority: root384, certificates, first, second },
    signatory,
    rekor,
    rekorTiles,
    timeStamps,
    means,
    /** A bundle around a statement about this digest, and one right over these bytes. */
    async statement(digest: Digest, version: 1 | 2 = 1, bent: Bent = {}): Promise<Uint8Array> {
      const statement = formatStatement([{ digest }], imageSignatureType)
      return (await sealStatement(statement, await means(version, bent))).bundle
    },
    /** The same without a promise of the certificate log in the certificate. */
    async unlogged(bytes: Uint8Array): Promise<Uint8Array> {
      return sealMessage(bytes, { signatory: await signatory({}, false), witnesses: [rekor()] })
    },
    async message(bytes: Uint8Array, version: 1 | 2 = 1, bent: Bent = {}): Promise<Uint8Array> {
      return sealMessage(bytes, await means(version, bent))
    },
  }
}

export type SigstoreWorld = Awaited<ReturnType<typeof sigstoreWorld>>

/** A bare key that signs, and what others know of it. */
export function keyHolder() {
  const pair = newPair()
  const key = parsePublicKey(Buffer.from(pair.publicKey.export({ format: 'pem', type: 'spki' })))
  const signer = privateKeySigner(pair.privateKey)
  const signatory: Signatory = {
    sign: async (message) => {
      const { bytes } = await signer.sign(message)
      return { signature: bytes, by: { key } }
    },
  }
  return { signatory, key, pem: publicKeyPem(key) }
}

function signerPem({ certificate, key }: SignedBy): string {
  return certificate ? pem('CERTIFICATE', certificate) : pem('PUBLIC KEY', key.spki)
}

/** RFC 6962 section 2.1, by its definitions: the entry stands at 5 among 11 others. */
class TestTree {
  prove(entry: Uint8Array, pair: KeyPair, origin = 'log.example') {
    const leaves = Array.from({ length: 12 }, (_, at) =>
      sha256(Buffer.of(0), at === 5 ? entry : `other ${at}`),
    )
    const root = rootOf(leaves)
    const note = `${origin}\n${leaves.length}\n${base64(root)}\n`
    const hint = sha256(spkiOf(pair)).subarray(0, 4)
    const signature = Buffer.concat([hint, sign('sha256', Buffer.from(note), pair.privateKey)])
    return {
      logIndex: '5',
      treeSize: String(leaves.length),
      rootHash: base64(root),
      hashes: pathTo(5, leaves).map(base64),
      checkpoint: { envelope: `${note}\n\u2014 log.example ${base64(signature)}\n` },
    }
  }
}

const splitAt = (count: number): number => 2 ** Math.floor(Math.log2(count - 1))

function rootOf(leaves: readonly Buffer[]): Buffer {
  const [only] = leaves
  if (leaves.length === 1 && only) return only
  const at = splitAt(leaves.length)
  return sha256(Buffer.of(1), rootOf(leaves.slice(0, at)), rootOf(leaves.slice(at)))
}

function pathTo(index: number, leaves: readonly Buffer[]): Buffer[] {
  if (leaves.length === 1) return []
  const at = splitAt(leaves.length)
  return index < at
    ? [...pathTo(index, leaves.slice(0, at)), rootOf(leaves.slice(at))]
    : [...pathTo(index - at, leaves.slice(at)), rootOf(leaves.slice(0, at))]
}
