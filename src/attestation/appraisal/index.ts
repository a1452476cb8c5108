// What policies make of verified evidence, and the values that they hold it against.
export { type AppraisalEvaluation, type AppraisalOptions, appraise, type NamedPolicy } from './appraise.ts'
export { referenceMember } from './asked-values.ts'
export { compileAttestationPolicy } from './attestation-policy.ts'
export { parseReferenceMessage } from './reference-message.ts'
export {
  formatReferenceValue,
  parseReferenceValue,
  type ReferenceValue,
  type ReferenceValues,
} from './reference-value.ts'
