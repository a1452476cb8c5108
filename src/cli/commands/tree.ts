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

export type TreeFlags = FormatFlag & RegistryFlags

export const tree = buildCommand<TreeFlags, [string], Context>({
  loader: async () => (await import('../run/tree.ts')).run,
  parameters: {
    flags: { ...formatFlag, ...registryFlags },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [{ parse: text, placeholder: 'LOCATION', brief: 'An archive, layout or reference' }],
    },
  },
  docs: {
    brief: 'Draw the graph of content, with proofs below what they prove',
    fullDescription: described(
      'Draws every manifest and blob under the roots as a tree. Signatures, SBOMs and other referrers stand below what they prove; children that were left out are marked absent.',
      [
        'sealift tree app.tgz',
        'sealift tree registry.example/shop/web:1.4.0',
        'sealift tree app.tgz -o json',
      ],
    ),
  },
})
