export { codes, failure as trustFailure } from './codes.ts'
export { proofOf, unreadableProof } from './proof.ts'
export {
  type CarriedRoot,
  checkCarriedRoot,
  isCarriedRoot,
  packRoot,
  readCarriedRoot,
} from './roots/carried-root.ts'
export type { StoredRoot } from './roots/root-record.ts'
export { RootStore } from './roots/root-store.ts'
export { fetchTufRoot, type TufRoot, type TufUpdate } from './roots/tuf.ts'
export { keylessSignatory } from './sign/certificate-authority.ts'
export { githubTokens, givenToken, type IdentityTokens } from './sign/identity-token.ts'
export { parsePredicate, predicateNames, predicateType } from './sign/predicates.ts'
export { type SealedStatement, type SigningMeans, sealMessage, sealStatement } from './sign/seal.ts'
export { legacyAttestation, sealLegacySignature } from './sign/seal-legacy.ts'
export { keySignatory, type Signatory, type SignedBy } from './sign/signatory.ts'
export { parseSigningConfig, type SigningServices } from './sign/signing-config.ts'
export {
  formatSimpleSigning,
  formatStatement,
  imageSignatureType,
  type StatementSubject,
} from './sign/statement.ts'
export { timeStampAuthority } from './sign/time-stamp-authority.ts'
export { transparencyLog } from './sign/transparency-log.ts'
export type { Testimony, Witness } from './sign/witness.ts'
export {
  archiveRootName,
  archiveSignatureFile,
  gatherArchiveProofs,
  type SignedArchive,
} from './store/archive-proofs.ts'
export { type ClaimedProof, claimedProof } from './store/claimed.ts'
export { type GatherLimits, type GatherOptions, gatherProofs } from './store/gather-proofs.ts'
export { type LegacyLayer, legacyAnnotations, legacyProof } from './store/legacy-proof.ts'
export { type BundleFacts, ProofCargo } from './store/proof-cargo.ts'
export { formOfLayer } from './store/proof-media-types.ts'
export type * from './types.ts'
export { type JudgedSubject, judge } from './verify/judge.ts'
export { judgeAll } from './verify/judge-all.ts'
export { matchesIdentity, type WantedIdentity } from './verify/matches-identity.ts'
export { type PreparedTrust, prepareTrust } from './verify/prepared-trust.ts'
export { parseTrustedRoot } from './verify/trusted-root.ts'
