import { canonicalJson, type Json } from '#base/index.ts'
import { type Digest, digestAlgorithm, digestHex } from '#oci/index.ts'

/** in-toto attestation framework, v1/statement.md and v1/envelope.md. */
const statementType = 'https://in-toto.io/Statement/v1'
export const statementPayloadType = 'application/vnd.in-toto+json'

/** What cosign 3 says with a plain signature; its predicate is empty. */
export const imageSignatureType = 'https://sigstore.dev/cosign/sign/v1'

/** What a statement is about. */
export interface StatementSubject {
  readonly digest: Digest
  /** For people; the digest is what counts. */
  readonly name?: string
  /** Signed along with it. */
  readonly annotations?: Readonly<Record<string, string>>
}

/** An in-toto statement in canonical JSON: the same facts give the same bytes. */
export function formatStatement(
  subjects: readonly StatementSubject[],
  predicateType: string,
  predicate: Json = {},
): Uint8Array {
  return canonicalJson({
    _type: statementType,
    subject: subjects.map(({ digest, name, annotations }) => ({
      ...(name !== undefined && { name }),
      digest: { [digestAlgorithm(digest)]: digestHex(digest) },
      ...(annotations && Object.keys(annotations).length > 0 && { annotations }),
    })),
    predicateType,
    predicate,
  })
}

/** DSSE's pre-authentication encoding (dsse protocol.md): what is signed in place of the payload. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = Buffer.from(payloadType)
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${payloadType} ${payload.length} `), payload])
}

/** What cosign 2 signs in place of an image (containers/image signature format, "simple signing"). */
export function formatSimpleSigning(
  digest: Digest,
  dockerReference: string,
  annotations: Readonly<Record<string, string>> = {},
): Uint8Array {
  const critical = {
    identity: { 'docker-reference': dockerReference },
    image: { 'docker-manifest-digest': digest },
    type: 'cosign container image signature',
  }
  const optional = Object.keys(annotations).length > 0 ? annotations : null
  return Buffer.from(JSON.stringify({ critical, optional }))
}
