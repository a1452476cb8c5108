import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { described, type FormatFlag, formatAlias, formatFlag, text } from '../flags.ts'

export type RegistryGcFlags = FormatFlag & { readonly dryRun: boolean; readonly untagged: boolean }

export const registryGc = buildCommand<RegistryGcFlags, [string], Context>({
  loader: async () => (await import('../run/registry-gc.ts')).run,
  parameters: {
    flags: {
      ...formatFlag,
      dryRun: { kind: 'boolean', default: false, brief: 'Say what would go, and remove nothing' },
      untagged: { kind: 'boolean', default: false, brief: 'Manifests that no tag reaches go too' },
    },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [{ parse: text, placeholder: 'DIR', brief: 'The data directory' }],
    },
  },
  docs: {
    brief: 'Remove blobs that nothing names any more',
    fullDescription: described(
      'Removes the blobs of a data directory that no manifest names any more. The server may go on: what is being pushed is never removed.',
      ['sealift registry gc ./data', 'sealift registry gc /srv/registry --untagged --dry-run -o json'],
    ),
  },
})
