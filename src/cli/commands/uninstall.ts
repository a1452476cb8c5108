import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { described, text } from '../flags.ts'
import { type ActionFlags, actionAliases, actionFlags } from './lifecycle.ts'

export const uninstall = buildCommand<ActionFlags, [string, string?], Context>({
  loader: async () => (await import('../run/uninstall.ts')).run,
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
          brief: 'Where the bundle is now; the installed one where it is not said',
        },
      ],
    },
  },
  docs: {
    brief: 'Uninstall an installation',
    fullDescription: described(
      'Runs the uninstall action. What is known of the installation, its claims and logs, stays.',
      ['sealift uninstall shop', 'sealift uninstall shop app.tgz --driver namespaces'],
    ),
  },
})
