import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { described, text } from '../flags.ts'
import { type ActionFlags, actionAliases, actionFlags } from './lifecycle.ts'

export const install = buildCommand<ActionFlags, [string, string], Context>({
  loader: async () => (await import('../run/install.ts')).run,
  parameters: {
    flags: actionFlags,
    aliases: actionAliases,
    positional: {
      kind: 'tuple',
      parameters: [
        { parse: text, placeholder: 'NAME', brief: 'The installation' },
        { parse: text, placeholder: 'BUNDLE|ARCHIVE|REF', brief: 'What to install' },
      ],
    },
  },
  docs: {
    brief: 'Install a bundle',
    fullDescription: described(
      'Runs the install action of a bundle under a name, and remembers it in claims. The log of the run tool goes to stderr; its outputs are printed at the end.',
      [
        'sealift install shop app.tgz',
        'sealift install shop bundle.json -m relocation-mapping.json --param port=8080',
        'sealift install shop registry.example/shop/bundle:1.4.0 --credential-set credentials.yaml',
      ],
    ),
  },
})
