export { type Audit, type AuditReader, auditOf, auditReader } from './audit.ts'
export { codes as gateCodes } from './codes.ts'
export { ContentGate, type ContentGateOptions } from './content-gate.ts'
export { archiveHolder, manifestHolder } from './holder.ts'
export { DirectoryObjects, type Objects } from './objects.ts'
export {
  type AccessRecord,
  type AuditRecord,
  type DecisionRecord,
  parseRecord,
  type ReceiptRecord,
  type RecordedPrincipal,
  type RecordedSubject,
} from './record.ts'
export { type KnownRelease, KnownReleases, type ReleaseMemory } from './releases/known-releases.ts'
export { type Release, releasePredicate, releaseSchema } from './releases/release.ts'
export { type Difference, type Replayed, type ReplayOptions, replay } from './replay.ts'
export { type PreparedRules, prepareRules, type Rules } from './rules.ts'
export type * from './types.ts'
export { actions, environments } from './types.ts'
