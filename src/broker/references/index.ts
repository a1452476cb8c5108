export { referencesAdministration } from './administration.ts'
export { codes as referenceCodes } from './codes.ts'
export { isStatement, referencesFromStatement, type StatementReferences } from './from-statement.ts'
export { type ReferenceBookOptions, StoredReferences } from './reference-book.ts'
export {
  openStatementTrust,
  referenceValuesType,
  type StatementsConfiguration,
  type StatementTrust,
} from './statement-rules.ts'
export type * from './types.ts'
