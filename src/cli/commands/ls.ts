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

export type LsFlags = FormatFlag & RegistryFlags & { readonly all: boolean }

export const ls = buildCommand<LsFlags, [string], Context>({
  loader: async () => (await import('../run/ls.ts')).run,
  parameters: {
    flags: {
      ...formatFlag,
      ...registryFlags,
      all: { kind: 'boolean', default: false, brief: 'List every manifest and blob, not only the roots' },
    },
    aliases: { ...formatAlias, a: 'all' },
    positional: {
      kind: 'tuple',
      parameters: [{ parse: text, placeholder: 'LOCATION', brief: 'An archive, layout or reference' }],
    },
  },
  docs: {
    brief: 'List what is inside an archive, layout or image',
    fullDescription: described(
      'Lists the roots at a location, one per line, with digest, size and platforms; with --all every manifest and blob below them, each once.',
      ['sealift ls app.tgz', 'sealift ls --all oci:./layout', 'sealift ls app.tgz -o json'],
    ),
  },
})
