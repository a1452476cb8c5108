export { codes } from './codes.ts'
export { type CompileOptions, compilePolicy, decisionRule } from './compile.ts'
export { decide, decisionLimits, loadEngine } from './decide.ts'
export { type Explanation, explain, type RuleValue } from './explain.ts'
export { wordsOf } from './rego-text.ts'
export { type PolicyTest, runPolicyTests, type TestOptions } from './run-tests.ts'
export {
  type PolicyKey,
  type PolicyRevocation,
  parseTrustPolicy,
  type TrustPolicy,
  type TrustPolicySource,
  trustRule,
} from './trust-policy/parse-trust-policy.ts'
export { starterPolicy } from './trust-policy/starter.ts'
export type * from './types.ts'
