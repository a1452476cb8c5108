import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { described, type FormatFlag, formatAlias, formatFlag, text } from '../flags.ts'

export type OutputsFlags = FormatFlag & { readonly reveal: boolean }

export const outputs = buildCommand<OutputsFlags, [string, string?], Context>({
  loader: async () => (await import('../run/outputs.ts')).run,
  parameters: {
    flags: {
      ...formatFlag,
      reveal: {
        kind: 'boolean',
        default: false,
        brief: 'Print the value of the named output even where the bundle declares it secret',
      },
    },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [
        { parse: text, placeholder: 'NAME', brief: 'The installation' },
        { parse: text, optional: true, placeholder: 'OUTPUT', brief: 'One output, byte for byte' },
      ],
    },
  },
  docs: {
    brief: 'Print the outputs of an installation',
    fullDescription: described(
      'Lists the newest outputs of an installation, or prints one of them byte for byte. Secret ones are hidden, unless one is named and --reveal is given.',
      ['sealift outputs shop', 'sealift outputs shop address', 'sealift outputs shop -o json'],
    ),
  },
})
