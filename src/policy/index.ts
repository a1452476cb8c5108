export { codes } from './codes.ts'
export { type CompileOptions, compilePolicy, decisionRule } from './compile.ts'
export { decide, decisionLimits, loadEngine } from './decide.ts'
export type * from './types.ts'
