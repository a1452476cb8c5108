/** The claims of an AR4SI trustworthiness vector (draft-ietf-rats-ar4si section 2.3), in the order of tokens. */
export const trustClaims = [
  'instance-identity',
  'configuration',
  'executables',
  'file-system',
  'hardware',
  'runtime-opaque',
  'storage-opaque',
  'sourced-data',
] as const

export type TrustClaim = (typeof trustClaims)[number]

/** Whole numbers from -128 to 127. */
export type TrustVector = Readonly<Record<TrustClaim, number>>

/** Tiers from best to worst (AR4SI section 2.3.2), `none` meaning that nothing was said. */
const tiers = ['none', 'affirming', 'warning', 'contraindicated'] as const

export type TrustTier = (typeof tiers)[number]

/** In which tier a value is: 2 to 31 and -2 to -32 affirm, 32 to 95 and -33 to -96 warn, what lies beyond contradicts. */
export function tierOf(value: number): TrustTier {
  if (value >= -1 && value <= 1) return 'none'
  if (value >= -32 && value <= 31) return 'affirming'
  if (value >= -96 && value <= 95) return 'warning'
  return 'contraindicated'
}

/** The worst tier of all. */
export function statusOfVector(vector: TrustVector): TrustTier {
  const worst = Math.max(...trustClaims.map((claim) => tiers.indexOf(tierOf(vector[claim]))))
  return tiers[worst]!
}
