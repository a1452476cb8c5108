import type { Json } from '#base/index.ts'
import { statusOfVector, type TrustTier, type TrustVector, trustClaims } from './trust-vector.ts'

/** What an attestation policy made of one TEE's evidence. */
export interface Appraisal {
  readonly vector: TrustVector
  /** Which policy spoke, by its name without the class. */
  readonly policyId: string
  /** What was shown to the policy, and is shown to whoever reads the token. */
  readonly annotatedEvidence: { readonly [name: string]: Json }
  /** What else the policy says, by names of its own. */
  readonly extensions: { readonly [name: string]: Json }
}

/** An EAT attestation result, as Trustee writes it. */
export interface EarClaims {
  readonly eat_profile: string
  /** Seconds since 1970, as `exp`. */
  readonly iat: number
  readonly 'ear.verifier-id': { readonly developer: string; readonly build: string }
  readonly submods: Readonly<Record<string, Submod>>
  readonly exp: number
  readonly iss: string
}

export interface Submod {
  readonly 'ear.status': TrustTier
  readonly 'ear.trustworthiness-vector': TrustVector
  readonly 'ear.appraisal-policy-id': string
  readonly 'ear.veraison.annotated-evidence': { readonly [name: string]: Json }
  readonly [extension: string]: Json | TrustVector
}

export const trusteeProfile = 'tag:github.com,2024:confidential-containers/Trustee'

export interface EarTerms {
  readonly issuer: string
  readonly build: string
  readonly developer: string
  /** 300 where nothing is said; less where evidence ends sooner. */
  readonly validSeconds?: number
}

/** An appraisal and the class of its TEE (`cpu`, `gpu`): submods are called by it and numbered within it. */
export interface ClassedAppraisal extends Appraisal {
  readonly class: string
  /** The first moment at which it would be another. */
  readonly validUntil?: Date
}

/** The claims of a token over appraisals, valid for as long as all of them are and at most for the given time. */
export function earClaims(
  appraisals: readonly ClassedAppraisal[],
  { issuer, build, developer, validSeconds = 300 }: EarTerms,
  at: Date,
): EarClaims {
  const iat = Math.floor(at.getTime() / 1000)
  const counts = new Map<string, number>()
  const submods: Record<string, Submod> = {}
  let exp = iat + validSeconds
  for (const appraisal of appraisals) {
    const number = counts.get(appraisal.class) ?? 0
    counts.set(appraisal.class, number + 1)
    submods[`${appraisal.class}${number}`] = submodOf(appraisal)
    if (appraisal.validUntil) exp = Math.min(exp, Math.floor(appraisal.validUntil.getTime() / 1000))
  }
  return {
    eat_profile: trusteeProfile,
    iat,
    'ear.verifier-id': { developer, build },
    submods,
    exp,
    iss: issuer,
  }
}

function submodOf({ vector, policyId, annotatedEvidence, extensions }: Appraisal): Submod {
  const ordered = Object.fromEntries(trustClaims.map((claim) => [claim, vector[claim]])) as TrustVector
  return {
    'ear.status': statusOfVector(vector),
    'ear.trustworthiness-vector': ordered,
    'ear.appraisal-policy-id': policyId,
    'ear.veraison.annotated-evidence': annotatedEvidence,
    ...extensions,
  }
}
