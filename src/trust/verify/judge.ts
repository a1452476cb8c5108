import { createHash } from 'node:crypto'
import { type Digest, digestAlgorithm, digestHex, digestOf } from '#oci/index.ts'
import { failure } from '../codes.ts'
import { imageSignatureType, preAuthEncoding } from '../sign/statement.ts'
import type { Check, Proof, ProofFacts } from '../types.ts'
import { readBundle } from './bundle.ts'
import type { Claim } from './claim.ts'
import { judgeCertificate } from './judge-certificate.ts'
import { judgeKey } from './judge-key.ts'
import { readLegacy } from './legacy.ts'
import { isDigestSignedBy } from './prehashed.ts'
import type { PreparedTrust } from './prepared-trust.ts'
import { type Signed, signedBytes } from './signed.ts'
import { readSimpleSigning, readStatement, type Said } from './statement.ts'

/** What a proof is judged about. */
export interface JudgedSubject {
  readonly digest: Digest
  /** The content itself: only a signature right over it (`cosign sign-blob`) needs it. */
  readonly bytes?: Uint8Array
}

/** Who signed, and what showed it. */
export interface SignedBy extends Pick<ProofFacts, 'signer' | 'signedAt' | 'log' | 'validUntil'> {
  readonly checks: readonly Check[]
}

/**
 * Judges one proof: who signed, when, and that it is about this subject. Pure: no network, no file, no clock.
 *
 * @throws SIGNATURE_INVALID, KEY_UNTRUSTED, KEY_EXPIRED, KEY_NOT_YET_VALID, CERTIFICATE_UNTRUSTED,
 *   CERTIFICATE_EXPIRED, CERTIFICATE_NOT_YET_VALID, CERTIFICATE_NOT_LOGGED, NOT_IN_LOG, LOG_PROOF_INVALID,
 *   TIMESTAMP_INVALID, NO_TRUSTED_TIME, SUBJECT_MISMATCH, SUBJECT_BYTES_NEEDED, REVOKED, PREDICATE_INVALID,
 *   PROOF_MALFORMED, PROOF_TOO_LARGE, PROOF_UNREADABLE
 */
export function judge(proof: Proof, subject: JudgedSubject, trust: PreparedTrust, at: Date): ProofFacts {
  if (trust.isRevoked({ proof: proof.digest }))
    throw failure('REVOKED', `the proof ${proof.digest} was revoked`)
  if (proof.unreadable) throw failure('PROOF_UNREADABLE', proof.unreadable.message)
  const claim =
    proof.form === 'bundle' || proof.form === 'detached' ? readBundle(proof.bytes) : readLegacy(proof)
  const signed = signedOf(claim, subject)
  const by =
    claim.signer.kind === 'key'
      ? judgeKey(claim, claim.signer, signed, trust, at)
      : judgeCertificate(claim, claim.signer, signed, trust)
  const { predicateType, predicate, annotations } = saidOf(claim, subject)
  const { form, digest } = proof
  const { checks, ...facts } = by
  return {
    form,
    digest,
    subject: subject.digest,
    ...facts,
    checks: [...checks, 'subject', 'not-revoked'],
    predicateType,
    ...(predicate !== undefined && { predicate }),
    ...(annotations && { annotations }),
  }
}

function signedOf({ content, signature }: Claim, subject: JudgedSubject): Signed {
  switch (content.kind) {
    case 'envelope': {
      const { payloadType, payload, written } = content
      return signedBytes(preAuthEncoding(payloadType, payload), signature, {
        payload,
        ...(written && { envelope: written }),
      })
    }
    case 'document':
      return signedBytes(content.payload, signature)
    case 'content':
      return overContent(subject, signature)
  }
}

/** Of a content whose bytes are not at hand its own digest is known, and for most keys that is enough. */
function overContent({ digest, bytes }: JudgedSubject, signature: Uint8Array): Signed {
  if (bytes) return signedBytes(bytes, signature)
  const algorithm = digestAlgorithm(digest)
  const known = Buffer.from(digestHex(digest), 'hex')
  return {
    signature,
    digest: (hash) => (hash === algorithm ? known : undefined),
    isBy: (key) => isDigestSignedBy(key, algorithm, known, signature),
  }
}

/** What the signed words say, held against the subject. */
function saidOf({ content }: Claim, subject: JudgedSubject): Said {
  const { digest, bytes } = subject
  const digests = bytes ? [digest, ...otherDigests(bytes, digest)] : [digest]
  switch (content.kind) {
    case 'envelope':
      return readStatement(content.payloadType, content.payload, digests)
    case 'document':
      return readSimpleSigning(content.payload, digests)
    case 'content': {
      const hint = content.digest
      const own = hint && contentDigest(hint.hash, subject)
      if (hint && own && !own.equals(hint.bytes)) {
        throw failure('SUBJECT_MISMATCH', `the bundle is about another content than ${digest}`)
      }
      return { predicateType: imageSignatureType }
    }
  }
}

/** Undefined where the bytes are not at hand and the known digest is of another kind. */
function contentDigest(hash: string, { digest, bytes }: JudgedSubject): Buffer | undefined {
  if (bytes) return createHash(hash).update(bytes).digest()
  return hash === digestAlgorithm(digest) ? Buffer.from(digestHex(digest), 'hex') : undefined
}

const otherDigests = (bytes: Uint8Array, digest: Digest): Digest[] =>
  (['sha256', 'sha384', 'sha512'] as const)
    .filter((algorithm) => algorithm !== digestAlgorithm(digest))
    .map((algorithm) => digestOf(bytes, algorithm))
