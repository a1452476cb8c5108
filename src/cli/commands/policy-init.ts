import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { described, type FormatFlag, formatAlias, formatFlag, text } from '../flags.ts'

export type PolicyInitFlags = FormatFlag & { readonly key?: string; readonly content?: string }

export const policyInit = buildCommand<PolicyInitFlags, [string?], Context>({
  loader: async () => (await import('../run/policy-init.ts')).run,
  parameters: {
    flags: {
      ...formatFlag,
      key: {
        kind: 'parsed',
        parse: text,
        optional: true,
        placeholder: 'FILE',
        brief: 'The public key whose signatures are asked for; its text goes into the policy',
      },
      content: {
        kind: 'parsed',
        parse: text,
        optional: true,
        placeholder: 'PATTERN',
        brief: 'Which content the policy is about: HOST/REPOSITORY, with * and ** (everything)',
      },
    },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [{ parse: text, placeholder: 'DIR', brief: 'Where to (here)', optional: true }],
    },
  },
  docs: {
    brief: 'Write a trust policy to begin with, and tests that pass',
    fullDescription: described(
      'Writes policy.yaml with comments that say what can be in it, and policy_test.rego. Nothing is overwritten.',
      [
        'sealift policy init ./policies --key release.pub --content "registry.example/shop/**"',
        'sealift policy init && sealift policy test .',
      ],
    ),
  },
})
