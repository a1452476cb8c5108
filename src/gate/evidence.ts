import { canonicalJson } from '#base/index.ts'
import { type Digest, digestOf } from '#oci/index.ts'
import { judgeAll, type PreparedTrust, type ProofFacts, type SubjectEvidence } from '#trust/index.ts'
import { earliest } from './decide-question.ts'
import type { Subject, WithProofs } from './types.ts'

/** What the proofs of one subject came to, and until when they come to the same. */
export interface Judged {
  readonly evidence: SubjectEvidence
  /** The evidence as it is kept, and its digest. */
  readonly bytes: Uint8Array
  readonly digest: Digest
  readonly at: Date
  /** Judging again from then on may give something else; absent where it never will. */
  readonly validUntil?: Date
}

/** Refusals that time alone can lift. All others stand for ever. */
const lifted = new Set(['KEY_NOT_YET_VALID', 'CERTIFICATE_NOT_YET_VALID'])

/**
 * Judges a subject's proofs and those about what holds it. Pure: the same proofs, trust and moment give the same
 * bytes. The reference is not part of it: one content has one evidence under every name.
 */
export function judgeSubject(subject: Subject, trust: PreparedTrust, at: Date): Judged {
  const own = judgeProven(subject, trust, at)
  const holders = (subject.within ?? []).map((holder) => judgeProven(holder, trust, at))
  const all = [own, ...holders]
  const signatures = all.flatMap((facts) => facts.signatures)
  const attestations = all.flatMap((facts) => facts.attestations)
  const refused = all.flatMap((facts) => facts.refused)
  const evidence: SubjectEvidence = { subject: own.subject, signatures, attestations, refused }
  const bytes = canonicalJson(evidence)
  const validUntil = refused.some(({ code }) => lifted.has(code))
    ? at
    : earliest([...signatures, ...attestations].map(endOf))
  return { evidence, bytes, digest: digestOf(bytes), at, ...(validUntil && { validUntil }) }
}

const judgeProven = ({ digest, mediaType, proofs }: WithProofs, trust: PreparedTrust, at: Date) =>
  judgeAll({ digest, mediaType }, proofs, trust, at)

const endOf = ({ validUntil }: ProofFacts): Date | undefined =>
  validUntil === undefined ? undefined : new Date(validUntil)
