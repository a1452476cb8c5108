export { referencesAdministration } from './administration.ts'
export { codes as referenceCodes } from './codes.ts'
export { type ReferenceBookOptions, StoredReferences } from './reference-book.ts'
export type * from './types.ts'
