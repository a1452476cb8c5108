import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { described, type FormatFlag, formatAlias, formatFlag, text } from '../flags.ts'

export type ShowFlags = FormatFlag

export const show = buildCommand<ShowFlags, [string], Context>({
  loader: async () => (await import('../run/show.ts')).run,
  parameters: {
    flags: { ...formatFlag },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [{ parse: text, placeholder: 'NAME', brief: 'The installation' }],
    },
  },
  docs: {
    brief: 'Show an installation',
    fullDescription: described(
      'Shows the bundle, the parameters and the history of an installation. Values that the bundle declares secret are hidden.',
      ['sealift show shop', 'sealift show shop -o json'],
    ),
  },
})
