import { buildCommand, buildRouteMap } from '@stricli/core'
import type { Context } from '../context.ts'
import { parseMoment } from '../duration.ts'
import {
  described,
  type FormatFlag,
  formatAlias,
  formatFlag,
  type RegistryFlags,
  registryFlags,
  text,
} from '../flags.ts'
import { gateFlags } from '../gate/flags.ts'
import { type SigningFlags, signingFlags } from '../signing-flags.ts'

export type ReleaseSignFlags = FormatFlag &
  RegistryFlags &
  SigningFlags & {
    readonly product: string
    readonly sequence?: number
    readonly nextBy?: ReturnType<typeof parseMoment>
  }

function sequenceNumber(value: string): number {
  if (!/^\d{1,15}$/.test(value)) throw new SyntaxError(`${value} is not the number of a release`)
  return Number(value)
}

const sign = buildCommand<ReleaseSignFlags, [string], Context>({
  loader: async () => (await import('../run/release-sign.ts')).run,
  parameters: {
    flags: {
      product: {
        kind: 'parsed',
        parse: text,
        placeholder: 'NAME',
        brief: 'What is released, always by the same name',
      },
      sequence: {
        kind: 'parsed',
        parse: sequenceNumber,
        optional: true,
        placeholder: 'NUMBER',
        brief: 'Greater with each release; the seconds since 1970 where it is not said',
      },
      nextBy: {
        kind: 'parsed',
        parse: parseMoment,
        optional: true,
        placeholder: 'TIME',
        brief: 'When the next one will be there at the latest: a time, or 30d from now',
      },
      ...signingFlags,
      ...formatFlag,
      ...registryFlags,
    },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [
        { parse: text, placeholder: 'LOCATION', brief: 'An archive as a whole, or a reference or one root' },
      ],
    },
  },
  docs: {
    brief: 'Number a release, so that an older one cannot pass for it',
    fullDescription: described(
      'Signs a release record: this content is release number so and so of a product, and the next one comes by then. It travels along. The far side remembers the highest number that it let in, and keeps older ones out; where the promised time passes without another release, it knows that somebody holds them back.',
      [
        'sealift release sign app.tgz --product shop --next-by 30d --key vendor.key',
        'sealift release sign registry.example/shop/app:1.4.0 --product shop --sequence 14 --key vendor.key',
      ],
    ),
  },
})

export type ReleaseListFlags = FormatFlag & { readonly audit?: string; readonly check: boolean }

const list = buildCommand<ReleaseListFlags, [], Context>({
  loader: async () => (await import('../run/release-list.ts')).run,
  parameters: {
    flags: {
      audit: gateFlags.audit,
      check: { kind: 'boolean', default: false, brief: 'Exit with 5 where a promised release is overdue' },
      ...formatFlag,
    },
    aliases: formatAlias,
  },
  docs: {
    brief: 'List the newest releases that were let in here, and which are overdue',
    fullDescription: described(
      'Lists for each publisher and product the highest release that was let in, when, and by when another one was promised.',
      ['sealift release list', 'sealift release list --check -o json'],
    ),
  },
})

/** `sealift release ...` */
export const release = buildRouteMap<'sign' | 'list', Context>({
  routes: { sign, list },
  docs: { brief: 'Releases in their order: neither rolled back nor held back' },
})
