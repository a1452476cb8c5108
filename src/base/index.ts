export { codes, failure as baseFailure } from './codes.ts'
export { type DirectoryLock, lockDirectory } from './directory-lock.ts'
export {
  type CodeEntry,
  type CodeTable,
  type FailureOptions,
  failures,
  isFailure,
  SealiftError,
} from './error.ts'
export type { FileEntry, FileSystem, OpenFile, OpenMode } from './file-system.ts'
export { canonicalJson, type Json, type JsonLimits, parseJson } from './json.ts'
export { jsonAt } from './json-pointer.ts'
export {
  type AdmissionLimits,
  type AttestationLimits,
  admissionLimits,
  attestationLimits,
  type BrokerLimits,
  type BrokerServerLimits,
  brokerLimits,
  brokerServerLimits,
  type LeaseLimits,
  type Limits,
  leaseLimits,
  limits,
  type PkiLimits,
  type PolicyLimits,
  packageLimits,
  pkiLimits,
  policyLimits,
  type SecretLimits,
  type ServerLimits,
  secretLimits,
  serverLimits,
} from './limits.ts'
export { Lru } from './lru.ts'
export { fileSystemFailure, nodeFileSystem } from './node-file-system.ts'
export type { OnProgress, ProgressEvent } from './progress.ts'
export { readUpTo, replaceFile } from './small-file.ts'
export { type Claim, claim, isAbandoned } from './writer-claim.ts'
