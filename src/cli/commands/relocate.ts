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

export type RelocateFlags = FormatFlag &
  GateFlags &
  RegistryFlags &
  ConcurrencyFlag &
  PlatformFlag & {
    readonly to: string
    readonly relocationMapping: string
    readonly dryRun: boolean
    readonly referrers: boolean
  }

export const relocate = buildCommand<RelocateFlags, [string], Context>({
  loader: async () => (await import('../run/relocate.ts')).run,
  parameters: {
    flags: {
      to: {
        kind: 'parsed',
        parse: text,
        placeholder: 'REGISTRY/PREFIX',
        brief: 'Where the images go',
      },
      relocationMapping: {
        kind: 'parsed',
        parse: text,
        default: 'relocation-mapping.json',
        placeholder: 'FILE',
        brief: 'The relocation mapping to write',
      },
      dryRun: {
        kind: 'boolean',
        default: false,
        brief: 'Say where everything would go, and write and copy nothing',
      },
      ...platformFlag,
      referrers: {
        kind: 'boolean',
        default: true,
        brief: 'Take signatures, SBOMs and other referrers along (--no-referrers to leave them)',
      },
      ...formatFlag,
      ...gateFlags,
      ...concurrencyFlag,
      ...registryFlags,
    },
    aliases: { ...formatAlias, m: 'relocationMapping' },
    positional: {
      kind: 'tuple',
      parameters: [{ parse: text, placeholder: 'BUNDLE|ARCHIVE', brief: 'A bundle, thin or thick' }],
    },
  },
  docs: {
    brief: "Copy a bundle's images into another registry",
    fullDescription: described(
      'Copies all images that a bundle needs to REGISTRY/PREFIX by digest, from an archive or from where they are, and then writes the relocation mapping that `install` takes. Whether the registry takes an index with absent children is found out before anything is copied.',
      [
        'sealift relocate app.tgz --to registry.enclave/vendor',
        'sealift relocate bundle.json --to localhost:5000/apps -m mapping.json',
        'sealift relocate app.tgz --to registry.enclave/vendor --dry-run',
      ],
    ),
  },
})
