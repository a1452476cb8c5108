export {
  type AppraisalEvaluation,
  type AppraisalOptions,
  appraise,
  compileAttestationPolicy,
  formatReferenceValue,
  type NamedPolicy,
  parseReferenceMessage,
  parseReferenceValue,
  type ReferenceValue,
  type ReferenceValues,
  referenceMember,
} from './appraisal/index.ts'
export {
  type Attester,
  type GuestClient,
  type GuestClientOptions,
  guestClient,
} from './client/guest-client.ts'
export { codes } from './codes.ts'
export { type ParsedInitData, parseInitData } from './init-data/parse-init-data.ts'
export { parseToml } from './init-data/toml.ts'
export { NotToml } from './init-data/toml-reader.ts'
export type { JsonObject } from './members.ts'
export * from './messages/index.ts'
export {
  deviceReportData,
  fitReportData,
  primaryReportData,
  type RuntimeData,
} from './report-data.ts'
export { sampleEvidence } from './sample/verify.ts'
export * from './tee-key/index.ts'
export * from './token/index.ts'
export type * from './types.ts'
export {
  type AttestationContext,
  type EvidenceVerifiers,
  evidenceVerifiers,
  type TeeClaims,
  type VerifiedAttestation,
  verifyAttestation,
} from './verify-attestation.ts'
