import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import {
  type ConcurrencyFlag,
  concurrencyFlag,
  described,
  type FormatFlag,
  formatAlias,
  formatFlag,
  type PlatformFlag,
  platformFlag,
  type RegistryFlags,
  registryFlags,
  text,
} from '../flags.ts'

export type VerifyFlags = FormatFlag & RegistryFlags & ConcurrencyFlag & PlatformFlag

export const verify = buildCommand<VerifyFlags, [string], Context>({
  loader: async () => (await import('../run/verify.ts')).run,
  parameters: {
    flags: { ...formatFlag, ...platformFlag, ...concurrencyFlag, ...registryFlags },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [{ parse: text, placeholder: 'LOCATION', brief: 'An archive, oci:DIR or reference' }],
    },
  },
  docs: {
    brief: 'Check every digest and size, and that nothing is missing or extra',
    fullDescription: described(
      'Reads every byte at a location: each content against its digest and size, the whole graph from the roots, and nothing beside it. Says exactly what is damaged, missing or extra, and exits with 5 where there is such a thing. For a reference, everything is fetched and hashed; --platform says which children of an index have to be there.',
      [
        'sealift verify app.tgz',
        'sealift verify oci:./layout -o json',
        'sealift verify registry.example/shop/web:1.4.0 --platform linux/amd64',
      ],
    ),
  },
})
