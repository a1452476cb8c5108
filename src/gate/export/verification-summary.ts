import type { Json } from '#base/index.ts'
import { type Digest, digestAlgorithm, digestHex } from '#oci/index.ts'
import type { DecisionRecord } from '../audit/record.ts'

export const verificationSummaryType = 'https://slsa.dev/verification_summary/v1'

export interface SummaryOptions {
  /** A URI that names who has verified: the site, not the program. */
  readonly verifierId: string
  /** Of the program that has verified. */
  readonly version: string
  /** A URI by which the policy is known to who reads this; its digest is told in any case. */
  readonly policyUri?: string
}

/** An in-toto statement (v1), to be put into an envelope and signed. */
export interface SummaryStatement {
  readonly subject: { readonly digest: Digest; readonly name: string }
  readonly predicateType: typeof verificationSummaryType
  readonly predicate: { [key: string]: Json }
}

/**
 * A decision as SLSA verification summaries (slsa.dev/spec/v1.0/verification_summary), one for each of the contents
 * that the record names, since a summary tells of one resource. A no to all of them together is a FAILED for each.
 */
export function toVerificationSummaries(record: DecisionRecord, options: SummaryOptions): SummaryStatement[] {
  const { verifierId, version, policyUri = `urn:sealift:policy:${record.policy}` } = options
  return record.subjects.map(({ digest, reference, evidence }) => ({
    subject: { digest, name: reference },
    predicateType: verificationSummaryType,
    predicate: {
      verifier: { id: verifierId, version: { sealift: version } },
      timeVerified: record.at,
      resourceUri: `oci://${encodeURI(reference.toWellFormed())}`,
      policy: { uri: policyUri, digest: digestSet(record.policy) },
      // What the policy has seen of the proofs, kept beside the log.
      inputAttestations: [{ uri: `urn:sealift:evidence:${evidence}`, digest: digestSet(evidence) }],
      verificationResult: record.allowed ? 'PASSED' : 'FAILED',
      // The policy is its owner's: that it was met says nothing about SLSA's levels.
      verifiedLevels: [record.allowed ? 'SLSA_BUILD_LEVEL_UNEVALUATED' : 'FAILED'],
      slsaVersion: '1.0',
    },
  }))
}

const digestSet = (digest: Digest): { [key: string]: Json } => ({
  [digestAlgorithm(digest)]: digestHex(digest),
})
