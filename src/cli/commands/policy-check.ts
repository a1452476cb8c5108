import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { described, type FormatFlag, formatAlias, formatFlag, text } from '../flags.ts'

export const policyPath = {
  parse: text,
  placeholder: 'PATH',
  brief: 'A trust policy in YAML, a file of Rego, or a folder of them',
} as const

export const policyCheck = buildCommand<FormatFlag, [string], Context>({
  loader: async () => (await import('../run/policy-check.ts')).run,
  parameters: {
    flags: formatFlag,
    aliases: formatAlias,
    positional: { kind: 'tuple', parameters: [policyPath] },
  },
  docs: {
    brief: 'Check that a policy can be used',
    fullDescription: described(
      'Reads a policy with all that it names, and compiles it. What is wrong is told with file, line and column, and exits with 2. docs/trust-policy.md tells what is in the file.',
      ['sealift policy check policy.yaml', 'sealift policy check ./policies -o json'],
    ),
  },
})
