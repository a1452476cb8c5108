// Attestation tokens: EAT attestation results (EAR) as signed JWTs.
export {
  type Appraisal,
  type ClassedAppraisal,
  type EarClaims,
  type EarTerms,
  earClaims,
  type Submod,
  trusteeProfile,
} from './ear-claims.ts'
export {
  type AttestationGuardOptions,
  attestationGuard,
  type Guardable,
  type Guarded,
  type GuardRefusal,
} from './guard.ts'
export { formatJwkSet, parseJwkSet, type TokenKey } from './jwk-set.ts'
export { fetchJwkSet, type RemoteKeysOptions, remoteKeys, type TrustSource } from './remote-keys.ts'
export { type SignerJwk, type TokenSigner, type TokenSignerOptions, tokenSigner } from './signer.ts'
export { teeKeyClaim } from './tee-key-claim.ts'
export {
  statusOfVector,
  type TrustClaim,
  type TrustTier,
  type TrustVector,
  tierOf,
  trustClaims,
} from './trust-vector.ts'
export { type TokenTrust, type VerifiedToken, verifyToken } from './verify.ts'
