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
import { type GateFlags, gateFlags } from '../gate/flags.ts'

export type CopyFlags = FormatFlag &
  GateFlags &
  RegistryFlags &
  ConcurrencyFlag &
  PlatformFlag & { readonly referrers: boolean }

export const copy = buildCommand<CopyFlags, [string, string], Context>({
  loader: async () => (await import('../run/copy.ts')).run,
  parameters: {
    flags: {
      ...formatFlag,
      ...platformFlag,
      referrers: {
        kind: 'boolean',
        default: true,
        brief: 'Take signatures, SBOMs and other referrers along (--no-referrers to leave them)',
      },
      ...gateFlags,
      ...concurrencyFlag,
      ...registryFlags,
    },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [
        { parse: text, placeholder: 'SOURCE', brief: 'Where it is' },
        { parse: text, placeholder: 'TARGET', brief: 'Where it goes' },
      ],
    },
  },
  docs: {
    brief: 'Copy content between registries, layouts and archives',
    fullDescription: described(
      'Copies everything under a root, with its referrers and legacy signature tags, between registry references, oci:DIR, oci-archive:FILE, docker-archive:FILE (read only) and archives. What is there already is not moved again; what was interrupted is taken up; an archive that exists is appended to.',
      [
        'sealift copy registry.example/shop/web:1.4.0 localhost:5000/shop/web:1.4.0',
        'sealift copy docker-archive:saved.tar oci:./layout',
        'sealift copy registry.example/shop/web:1.4.0 app.tgz --platform linux/amd64',
      ],
    ),
  },
})
