import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { described, type FormatFlag, formatAlias, formatFlag, text } from '../flags.ts'
import { policyPath } from './policy-check.ts'

export type PolicyExplainFlags = FormatFlag & { readonly evidence: string; readonly at?: string }

export const policyExplain = buildCommand<PolicyExplainFlags, [string], Context>({
  loader: async () => (await import('../run/policy-explain.ts')).run,
  parameters: {
    flags: {
      ...formatFlag,
      evidence: { kind: 'parsed', parse: text, placeholder: 'FILE', brief: 'The evidence, as JSON' },
      at: {
        kind: 'parsed',
        parse: text,
        optional: true,
        placeholder: 'TIME',
        brief: 'The moment of the decision, RFC 3339; now where it is not said',
      },
    },
    aliases: formatAlias,
    positional: { kind: 'tuple', parameters: [policyPath] },
  },
  docs: {
    brief: 'Show which rule says yes or no, and what would make it yes',
    fullDescription: described(
      'Decides on evidence in a file (`sealift audit show -o json` tells that of a decision that was made) and shows what every rule came to. No exits with 5.',
      [
        'sealift policy explain policy.yaml --evidence evidence.json',
        'sealift policy explain ./policies --evidence evidence.json --at 2026-05-01T12:00:00Z -o json',
      ],
    ),
  },
})
