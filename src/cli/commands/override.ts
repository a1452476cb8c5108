import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { parseMoment } from '../duration.ts'
import { described, type FormatFlag, formatFlag, type RegistryFlags, registryFlags, text } from '../flags.ts'
import { environmentNames } from '../gate/flags.ts'
import { type SigningFlags, signingFlags } from '../signing-flags.ts'

export type OverrideFlags = FormatFlag &
  RegistryFlags &
  SigningFlags & {
    readonly person: string
    readonly reason: string
    readonly until: ReturnType<typeof parseMoment>
    readonly action?: readonly string[]
    readonly environment?: readonly (typeof environmentNames)[number][]
    readonly output?: string
  }

export const override = buildCommand<OverrideFlags, [string], Context>({
  loader: async () => (await import('../run/override.ts')).run,
  parameters: {
    flags: {
      person: { kind: 'parsed', parse: text, placeholder: 'NAME', brief: 'Who answers for it' },
      reason: { kind: 'parsed', parse: text, placeholder: 'TEXT', brief: 'Why' },
      until: {
        kind: 'parsed',
        parse: parseMoment,
        placeholder: 'TIME',
        brief: 'When it ends: 2026-12-31T00:00:00Z, or 12h, 2d from now',
      },
      action: {
        kind: 'enum',
        values: ['pack', 'load', 'serve', 'relocate', 'install', 'admit'],
        variadic: true,
        optional: true,
        brief: 'Only for this; for everything where it is not said',
      },
      environment: {
        kind: 'enum',
        values: environmentNames,
        variadic: true,
        optional: true,
        brief: 'Only in this environment; in all where it is not said',
      },
      output: {
        kind: 'parsed',
        parse: text,
        optional: true,
        placeholder: 'FILE',
        brief: 'Write it into this file, for --override, and nothing beside the content',
      },
      ...signingFlags,
      ...formatFlag,
      ...registryFlags,
    },
    aliases: { o: 'output' },
    positional: {
      kind: 'tuple',
      parameters: [
        { parse: text, placeholder: 'LOCATION', brief: 'A reference, or one root of an archive or layout' },
      ],
    },
  },
  docs: {
    brief: 'Break glass: answer by name for letting a content in against the policy',
    fullDescription: described(
      'Signs that a person lets one content in against the policy, why, and until when. It counts where the policy lists the signer under overrides, and every decision that rests on it says so in the audit log.',
      [
        'sealift override registry.enclave/shop/web:1.4.1 --person "Jo Field" --reason "hotfix, scan pending" --until 12h --key jo.key',
        'sealift override app.tgz --person "Jo Field" --reason "no link to the vendor" --until 2026-12-01T00:00:00Z --key jo.key -o override.json',
      ],
    ),
  },
})
