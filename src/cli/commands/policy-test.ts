import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { described, type FormatFlag, formatAlias, formatFlag } from '../flags.ts'
import { policyPath } from './policy-check.ts'

export const policyTest = buildCommand<FormatFlag, [string], Context>({
  loader: async () => (await import('../run/policy-test.ts')).run,
  parameters: {
    flags: formatFlag,
    aliases: formatAlias,
    positional: { kind: 'tuple', parameters: [policyPath] },
  },
  docs: {
    brief: 'Run the tests beside a policy',
    fullDescription: described(
      'Runs every rule named test_* in the folder, as `opa test` does; todo_test_* are skipped. Beside a policy.yaml, tests ask data.sealift.trust.decision. A test that fails exits with 1.',
      ['sealift policy test ./policies', 'sealift policy test ./policies -o json'],
    ),
  },
})
