import { resolve } from 'node:path'
import { runPolicyTests } from '#policy/index.ts'
import type { Context } from '../context.ts'
import type { FormatFlag } from '../flags.ts'
import { readPolicyAt } from '../policy-files.ts'
import { openSession } from '../session.ts'
import { count, print } from '../shell/print.ts'

export async function run(this: Context, flags: FormatFlag, path: string): Promise<void> {
  await using session = await openSession(this, flags)
  const { kind, policy, trust, files, data } = await readPolicyAt(resolve(this.cwd, path))
  // Its tests have to compile as well; what they say is the matter of `policy test`.
  const tests = runPolicyTests(files, { data, at: new Date() }).length
  const name = trust?.name
  const facts = { path, kind, ...(name && { name }), digest: policy.digest, rule: policy.rule, tests }
  const keys = trust?.keys.map((key) => key.name) ?? []
  const roots = trust?.roots.map((root) => root.name) ?? []
  print(this, session.format, { ...facts, keys, trustedRoots: roots }, () =>
    [
      `${path} is good: ${name ? `trust policy ${name}, ` : ''}${policy.digest}`,
      ...(trust ? [`  ${count(keys.length, 'key')}, ${count(roots.length, 'trusted root')}`] : []),
      `  decided by ${policy.rule}, ${count(tests, 'test')} beside it`,
    ].join('\n'),
  )
}
