export { type Audit, type AuditReader, auditOf, auditReader } from './audit/audit.ts'
export {
  type AuditDirectoryOptions,
  type FolderAudit,
  type OpenAudit,
  openAudit,
  type ReadAuditOptions,
  readAudit,
} from './audit/audit-directory.ts'
export { type Missing, missingOf } from './audit/missing.ts'
export { DirectoryObjects, type Objects } from './audit/objects.ts'
export {
  type OpenAuditReader,
  openPostgresAudit,
  type PostgresAuditOptions,
  type PostgresPlace,
  readPostgresAudit,
} from './audit/postgres-audit.ts'
export {
  type AccessRecord,
  type AuditRecord,
  type DecisionRecord,
  type EvaluationRecord,
  parseRecord,
  type ReceiptRecord,
  type RecordedPrincipal,
  type RecordedSubject,
} from './audit/record.ts'
export { type Difference, type Replayed, type ReplayOptions, replay } from './audit/replay.ts'
export { SharedAudit, type SharedAuditOptions } from './audit/shared-audit.ts'
export { codes as gateCodes } from './codes.ts'
export { isCompanion } from './companion.ts'
export { ContentGate, type ContentGateOptions } from './content-gate.ts'
export { recordedDecision, recordedInput } from './evaluation/evaluation-record.ts'
export { PolicyGate, type PolicyGateOptions } from './evaluation/policy-gate.ts'
export { type RecentOptions, recentEvaluations } from './evaluation/recent-evaluations.ts'
export type * from './evaluation/types.ts'
export type { EntryPlace } from './export/audit-event.ts'
export { toCef } from './export/cef.ts'
export { toOcsf } from './export/ocsf.ts'
export { frameSyslog, type SyslogOptions, toSyslog } from './export/syslog.ts'
export {
  type SummaryOptions,
  type SummaryStatement,
  toVerificationSummaries,
  verificationSummaryType,
} from './export/verification-summary.ts'
export { archiveHolder, manifestHolder } from './holder.ts'
export { type Override, overridePredicate } from './override.ts'
export { qrPng, qrText } from './receipts/qr-code.ts'
export {
  makeReceipt,
  type ReceiptTrust,
  receiptBytes,
  type VerifiedReceipt,
  verifyReceipt,
} from './receipts/receipt.ts'
export { type KnownRelease, KnownReleases, type ReleaseMemory } from './releases/known-releases.ts'
export { type Release, releasePredicate, releaseSchema } from './releases/release.ts'
export { releaseDirectory } from './releases/release-file.ts'
export { type PreparedRules, prepareRules, type Rules } from './rules.ts'
export { type ServedContent, ServingGate, type ServingGateOptions } from './serving/serving-gate.ts'
export type * from './types.ts'
export { actions, environments } from './types.ts'
