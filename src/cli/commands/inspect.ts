import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import {
  described,
  type FormatFlag,
  formatAlias,
  formatFlag,
  type RegistryFlags,
  registryFlags,
  text,
} from '../flags.ts'

export type InspectFlags = FormatFlag & RegistryFlags

export const inspect = buildCommand<InspectFlags, [string], Context>({
  loader: async () => (await import('../run/inspect.ts')).run,
  parameters: {
    flags: { ...formatFlag, ...registryFlags },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [{ parse: text, placeholder: 'LOCATION', brief: 'An archive, layout or reference' }],
    },
  },
  docs: {
    brief: 'Show what an archive, layout, bundle or image is',
    fullDescription: described(
      'Shows what is at a location without unpacking it: its roots with digests, sizes, platforms and referrers, and the bundle with its actions, parameters, credentials, outputs and images.',
      [
        'sealift inspect app.tgz',
        'sealift inspect oci:./layout -o json',
        'sealift inspect registry.example/shop/web:1.4.0',
      ],
    ),
  },
})
