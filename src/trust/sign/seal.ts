import { createHash } from 'node:crypto'
import type { Json } from '#base/index.ts'
import type { CallOptions } from '#content/index.ts'
import { publicKeyHint } from '#keys/index.ts'
import { bundleMediaType } from '../store/proof-media-types.ts'
import { messageHashes } from './message-hashes.ts'
import type { Signatory, SignedBy } from './signatory.ts'
import { preAuthEncoding, statementPayloadType } from './statement.ts'
import type { SignedThing, Testimony, Witness } from './witness.ts'

/** Who signs, and who bears witness to it: logs and time-stamp authorities, all of which are asked. */
export interface SigningMeans {
  readonly signatory: Signatory
  readonly witnesses: readonly Witness[]
}

/** A statement that was signed: whole as a bundle, and in the parts that the legacy form takes. */
export interface SealedStatement {
  /** Sigstore bundle v0.3, JSON. */
  readonly bundle: Uint8Array
  /** DSSE, JSON. */
  readonly envelope: Uint8Array
  readonly by: SignedBy
  readonly testimony: readonly Testimony[]
}

/**
 * Signs an in-toto statement: a DSSE envelope in a Sigstore bundle v0.3.
 *
 * @throws the codes of `Signatory.sign` and `Witness.testify`
 */
export async function sealStatement(
  statement: Uint8Array,
  means: SigningMeans,
  options?: CallOptions,
): Promise<SealedStatement> {
  const message = preAuthEncoding(statementPayloadType, statement)
  const { signature, by } = await means.signatory.sign(message, options)
  const envelope = {
    payload: base64(statement),
    payloadType: statementPayloadType,
    signatures: [{ sig: base64(signature) }],
  }
  const testimony = await askAll({ kind: 'envelope', envelope, signature, message, by }, means, options)
  const bundle = formatBundle({ dsseEnvelope: envelope }, by, testimony)
  return { bundle, envelope: Buffer.from(JSON.stringify(envelope)), by, testimony }
}

/** Signs bytes as they are: a Sigstore bundle v0.3 with a message signature, as `cosign sign-blob` makes. */
export async function sealMessage(
  message: Uint8Array,
  means: SigningMeans,
  options?: CallOptions,
): Promise<Uint8Array> {
  const { signature, by } = await means.signatory.sign(message, options)
  const { name, algorithm } = messageHashes[by.key.algorithm]
  const messageSignature = {
    messageDigest: { algorithm, digest: createHash(name).update(message).digest('base64') },
    signature: base64(signature),
  }
  const testimony = await askAll({ kind: 'message', signature, message, by }, means, options)
  return formatBundle({ messageSignature }, by, testimony)
}

/** All witnesses at once; one that does not answer fails the whole. */
export async function askAll(
  thing: SignedThing,
  { witnesses }: SigningMeans,
  options?: CallOptions,
): Promise<readonly Testimony[]> {
  return Promise.all(witnesses.map((witness) => witness.testify(thing, options)))
}

function formatBundle(
  content: { readonly [key: string]: Json },
  by: SignedBy,
  testimony: readonly Testimony[],
): Uint8Array {
  const entries = testimony.flatMap((one) => (one.kind === 'log' ? [one.entry] : []))
  const stamps = testimony.flatMap((one) => (one.kind === 'time' ? [one.response] : []))
  return Buffer.from(
    JSON.stringify({
      mediaType: bundleMediaType,
      verificationMaterial: {
        ...(by.certificate
          ? { certificate: { rawBytes: base64(by.certificate) } }
          : { publicKey: { hint: publicKeyHint(by.key) } }),
        ...(entries.length > 0 && { tlogEntries: entries }),
        ...(stamps.length > 0 && {
          timestampVerificationData: {
            rfc3161Timestamps: stamps.map((stamp) => ({ signedTimestamp: base64(stamp) })),
          },
        }),
      },
      ...content,
    }),
  )
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
