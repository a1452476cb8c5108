import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import {
  type ConcurrencyFlag,
  concurrencyFlag,
  described,
  type FormatFlag,
  formatFlag,
  type PlatformFlag,
  platformFlag,
  type RegistryFlags,
  registryFlags,
  text,
} from '../flags.ts'
import { type GateFlags, gateFlags } from '../gate/flags.ts'

export type PackFlags = FormatFlag &
  GateFlags &
  RegistryFlags &
  ConcurrencyFlag &
  PlatformFlag & {
    readonly output: string
    readonly name?: string
    readonly relocationMapping?: string
    readonly referrers: boolean
  }

export const pack = buildCommand<PackFlags, string[], Context>({
  loader: async () => (await import('../run/pack.ts')).run,
  parameters: {
    flags: {
      output: { kind: 'parsed', parse: text, placeholder: 'FILE', brief: 'The archive to write' },
      ...platformFlag,
      name: {
        kind: 'parsed',
        parse: text,
        optional: true,
        placeholder: 'REF',
        brief: 'What the bundle is called in the archive (localhost/NAME:VERSION)',
      },
      relocationMapping: {
        kind: 'parsed',
        parse: text,
        optional: true,
        placeholder: 'FILE',
        brief: 'Take the images of a bundle.json from where they were relocated to',
      },
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
    aliases: { o: 'output', m: 'relocationMapping' },
    positional: {
      kind: 'array',
      minimum: 1,
      parameter: { parse: text, placeholder: 'BUNDLE|REF', brief: 'A bundle.json, a bundle or an image' },
    },
  },
  docs: {
    brief: 'Pack bundles and images into one archive',
    fullDescription: described(
      'Packs everything that bundles and images need into one archive, a CNAB thick bundle: images under their own names, referrers with them, and bundle.json at its root where there is exactly one bundle. --platform leaves other platforms out and changes no digest. A pack that was interrupted is taken up by the same command.',
      [
        'sealift pack bundle.json -o app.tgz',
        'sealift pack registry.example/shop/bundle:1.4.0 -o app.tgz --platform linux/amd64',
        'sealift pack bundle.json registry.example/tools/debug:2 -o app.tgz --format json',
      ],
    ),
  },
})
