import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { described, text } from '../flags.ts'
import { type ActionFlags, actionAliases, actionFlags } from './lifecycle.ts'

export const invoke = buildCommand<ActionFlags, [string, string, string?], Context>({
  loader: async () => (await import('../run/invoke.ts')).run,
  parameters: {
    flags: actionFlags,
    aliases: actionAliases,
    positional: {
      kind: 'tuple',
      parameters: [
        { parse: text, placeholder: 'NAME', brief: 'The installation' },
        { parse: text, placeholder: 'ACTION', brief: 'An action of the bundle' },
        {
          parse: text,
          optional: true,
          placeholder: 'BUNDLE|ARCHIVE|REF',
          brief: 'Where the bundle is; the installed one where it is not said',
        },
      ],
    },
  },
  docs: {
    brief: 'Run an action of the bundle itself',
    fullDescription: described(
      'Runs one of the custom actions of a bundle. A stateless one needs no installation and leaves no record.',
      [
        'sealift invoke shop backup',
        'sealift invoke shop io.cnab.status -o json',
        'sealift invoke help io.cnab.help app.tgz',
      ],
    ),
  },
})
