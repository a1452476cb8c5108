import { isFailure, limits } from '#base/index.ts'
import type { Digest } from '#oci/index.ts'
import { imageSignatureType } from '../sign/statement.ts'
import type { Proof, ProofFacts, RefusedProof, SubjectEvidence } from '../types.ts'
import { type JudgedSubject, judge } from './judge.ts'
import type { PreparedTrust } from './prepared-trust.ts'

/**
 * Judges every proof of a content. The same proofs in any order give the same evidence: each once, and sorted.
 * Refusals are part of it, each with its code. Pure, as `judge`.
 */
export function judgeAll(
  subject: JudgedSubject & { readonly mediaType: string },
  proofs: readonly Proof[],
  trust: PreparedTrust,
  at: Date,
  bounds: { readonly proofs: number } = limits,
): SubjectEvidence {
  const each = new Map(proofs.map((proof) => [`${proof.digest} ${proof.form}`, proof]))
  const sorted = [...each].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, proof]) => proof)
  const signatures: ProofFacts[] = []
  const attestations: ProofFacts[] = []
  const refused: RefusedProof[] = []
  const { digest, mediaType } = subject
  for (const [number, proof] of sorted.entries()) {
    if (number >= bounds.proofs) {
      refused.push(tooMany(proof, digest, bounds.proofs))
      continue
    }
    try {
      const facts = judge(proof, subject, trust, at)
      if (facts.predicateType === imageSignatureType) signatures.push(facts)
      else attestations.push(facts)
    } catch (error) {
      if (!isFailure(error)) throw error
      const { form, digest: proofDigest } = proof
      refused.push({ form, digest: proofDigest, subject: digest, code: error.code, message: error.message })
    }
  }
  return { subject: { digest, mediaType }, signatures, attestations, refused }
}

const tooMany = ({ form, digest }: Proof, subject: Digest, most: number): RefusedProof => ({
  form,
  digest,
  subject,
  code: 'PROOF_TOO_MANY',
  message: `only ${most} proofs of one content are looked at`,
})
