import { type Json, type PolicyLimits, policyLimits } from '#base/index.ts'
import { checkFiles, loadFiles } from './compile.ts'
import type { Engine, Outcome } from './engine/engine.ts'
import { locate } from './engine/error-text.ts'
import { declarationsOf } from './rego-text.ts'
import type { PolicyFile } from './types.ts'

/** What came of one test. */
export interface PolicyTest {
  /** `data.PACKAGE.NAME`. */
  readonly name: string
  readonly file: string
  readonly line: number
  /** `skip`: its name begins with `todo_`. `error`: it could not be evaluated to an end. */
  readonly outcome: 'pass' | 'fail' | 'error' | 'skip'
  /** Why it is an error. */
  readonly message?: string
  /** What it printed, line by line. */
  readonly printed: readonly string[]
}

export interface TestOptions {
  readonly data?: Json
  /** What time it is for the tests that ask. */
  readonly at: Date
}

/**
 * Runs the tests among the files as `opa test` does: every rule whose name begins with `test_`, in files of any name
 * (`*_test.rego` by custom). A test passes where it is true. Cases within one
 * test (`test_name[case]`) are errors: one that fails would pass unseen.
 *
 * @throws what `compilePolicy` throws for files that are no policy
 */
export function runPolicyTests(
  files: readonly PolicyFile[],
  { data = {}, at }: TestOptions,
  limits: PolicyLimits = policyLimits,
): PolicyTest[] {
  checkFiles(files, data, limits)
  const bounds = { instructions: limits.instructions, memoryBytes: limits.memoryBytes }
  let engine: Engine | undefined
  const tests: PolicyTest[] = []
  for (const { path: file, text } of files.filter(({ path }) => path.endsWith('.rego'))) {
    const declared = declarationsOf(text)
    for (const rule of declared.rules) {
      const place = { name: `data.${declared.package}.${rule.name}`, file, line: rule.line }
      if (rule.name.startsWith('todo_test_')) tests.push({ ...place, outcome: 'skip', printed: [] })
      if (!rule.name.startsWith('test_')) continue
      if (!engine || engine.trapped) {
        engine = loadFiles(files, data, bounds)
        engine.gatherPrints()
      }
      const result = judge(engine.evaluate(place.name, '{}', at))
      tests.push({ ...place, ...result, printed: engine.trapped ? [] : engine.takePrints() })
    }
  }
  return tests
}

function judge(outcome: Outcome): Pick<PolicyTest, 'outcome' | 'message'> {
  if (outcome.kind === 'undefined') return { outcome: 'fail' }
  if (outcome.kind !== 'value') {
    const { file, line, column, message } = locate(outcome.text)
    return { outcome: 'error', message: file ? `${file}:${line}:${column}: ${message}` : message }
  }
  const value = JSON.parse(outcome.text) as Json
  if (value === true) return { outcome: 'pass' }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { outcome: 'fail' }
  return { outcome: 'error', message: casesUnsupported }
}

/** OPA follows the evaluation to learn of cases whose body fails; to the engine here they leave no trace. */
const casesUnsupported =
  'cases (test_name[case]) cannot be told apart here: ask them with `every`, or one test for each'
