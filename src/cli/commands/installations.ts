import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { described, type FormatFlag, formatAlias, formatFlag } from '../flags.ts'

export type InstallationsFlags = FormatFlag

export const installations = buildCommand<InstallationsFlags, [], Context>({
  loader: async () => (await import('../run/installations.ts')).run,
  parameters: { flags: { ...formatFlag }, aliases: formatAlias },
  docs: {
    brief: 'List installations',
    fullDescription: described(
      'Lists what is installed from this machine, with the last action and how it ended.',
      ['sealift installations', 'sealift installations -o json'],
    ),
  },
})
