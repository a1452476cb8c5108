export { type AdminTokenTerms, adminToken } from './admin-token.ts'
export { type CheckedBroker, type CheckOptions, checkBroker } from './check/check-broker.ts'
export { type Finding, Findings } from './check/findings.ts'
export { codes as brokerCodes } from './codes.ts'
export { parseBrokerConfiguration } from './configuration/parse-configuration.ts'
export { brokerConfigurationSchema } from './configuration/schema.ts'
export type * from './configuration/types.ts'
export type * from './face.ts'
export { identityOf } from './identity.ts'
export { importBroker } from './import/import-broker.ts'
export { type ImportNote, type ImportPlan, planImport, type ResourceSource } from './import/plan-import.ts'
export { type DatabaseTerms, type InitTerms, initBroker } from './init-broker.ts'
export { codes as leaseCodes } from './leases/codes.ts'
export { codes as nebulaCodes } from './nebula/codes.ts'
export {
  configurationName,
  type OpenBrokerOptions,
  type OpenedAudit,
  type OpenedBroker,
  openBroker,
  readBrokerConfiguration,
} from './open-broker.ts'
export { openKeyring, pathIn } from './open-keyring.ts'
export type { AuditPlace } from './open-places.ts'
export * from './packages/index.ts'
export * from './pki/index.ts'
export * from './policies/index.ts'
export * from './references/index.ts'
export * from './resource/index.ts'
export {
  type RotatedMasterKey,
  type RotateMasterKeyOptions,
  rotateMasterKey,
} from './rotate-master-key.ts'
export * from './sessions/index.ts'
export {
  formatKeyring,
  type Keyring,
  type KeyringSecret,
  newKeyring,
  storeCodes,
} from './stores/index.ts'
export * from './token-keys/index.ts'
export type * from './types.ts'
