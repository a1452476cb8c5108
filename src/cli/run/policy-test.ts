import { resolve } from 'node:path'
import { runPolicyTests } from '#policy/index.ts'
import { failure } from '../codes.ts'
import type { Context } from '../context.ts'
import type { FormatFlag } from '../flags.ts'
import { readPolicyAt } from '../policy-files.ts'
import { openSession } from '../session.ts'
import { paint } from '../shell/paint.ts'
import { count, oneLine, print } from '../shell/print.ts'

export async function run(this: Context, flags: FormatFlag, path: string): Promise<void> {
  await using session = await openSession(this, flags)
  const { files, data } = await readPolicyAt(resolve(this.cwd, path))
  const tests = runPolicyTests(files, { data, at: new Date() })
  const bad = tests.filter(({ outcome }) => outcome === 'fail' || outcome === 'error')
  const passed = tests.filter(({ outcome }) => outcome === 'pass').length
  print(this, session.format, { path, ok: bad.length === 0 && passed > 0, tests }, () => {
    const color = paint(this, this.process.stdout)
    const lines = tests.flatMap(({ name, file, line, outcome, message, printed }) => {
      const word =
        outcome === 'pass' ? color.green(outcome) : outcome === 'skip' ? outcome : color.red(outcome)
      return [
        `${word}  ${file}:${line}  ${name}${message ? `: ${oneLine(message)}` : ''}`,
        ...printed.map((text) => `      ${oneLine(text)}`),
      ]
    })
    return [...lines, `${passed} of ${count(tests.length, 'test')} passed`].join('\n')
  })
  if (bad.length > 0)
    throw failure('POLICY_TESTS_FAILED', `${count(bad.length, 'test')} of ${path} did not pass`)
  if (passed === 0)
    throw failure('POLICY_TESTS_FAILED', `there is no test in ${path}: no rule is named test_...`)
}
