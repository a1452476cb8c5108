import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { described, text } from '../flags.ts'
import { type ActionFlags, actionAliases, actionFlags } from './lifecycle.ts'

export const upgrade = buildCommand<ActionFlags, [string, string?], Context>({
  loader: async () => (await import('../run/upgrade.ts')).run,
  parameters: {
    flags: actionFlags,
    aliases: actionAliases,
    positional: {
      kind: 'tuple',
      parameters: [
        { parse: text, placeholder: 'NAME', brief: 'The installation' },
        {
          parse: text,
          optional: true,
          placeholder: 'BUNDLE|ARCHIVE|REF',
          brief: 'The new bundle; the installed one where it is not said',
        },
      ],
    },
  },
  docs: {
    brief: 'Upgrade an installation',
    fullDescription: described(
      'Runs the upgrade action, with a new bundle or with the one that is installed. Parameters that were given before count until others are given.',
      [
        'sealift upgrade shop app-1.5.0.tgz -m relocation-mapping.json',
        'sealift upgrade shop --param replicas=3',
        'sealift upgrade shop bundle.json -o json',
      ],
    ),
  },
})
