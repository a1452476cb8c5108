import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { described, type FormatFlag, formatAlias, formatFlag, text } from '../flags.ts'

export type TrustRootShowFlags = FormatFlag & { readonly maxAge?: number }

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** `30d` as seconds. */
function age(given: string): number {
  const [, number, unit = ''] = /^(\d{1,6})([smhd])$/.exec(given) ?? []
  if (number === undefined) throw new RangeError('it must be a number of s, m, h or d, as 30d')
  return Number(number) * (units[unit] ?? 1)
}

export const trustRootShow = buildCommand<TrustRootShowFlags, [string?], Context>({
  loader: async () => (await import('../run/trust-root-show.ts')).run,
  parameters: {
    flags: {
      ...formatFlag,
      maxAge: {
        kind: 'parsed',
        parse: age,
        optional: true,
        placeholder: 'AGE',
        brief: 'Exit with 5 where a root came here longer ago than this (30d, 12h)',
      },
    },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [{ parse: text, placeholder: 'NAME', brief: 'Only this one (all)', optional: true }],
    },
  },
  docs: {
    brief: 'Show the trusted roots that are kept here, and how old they are',
    fullDescription: described(
      'Prints for each trusted root its certificate authorities, logs and time-stamp authorities with the times in which they count, for which issuers it may vouch, who may update it, and when it came here. Behind a gap nobody can ask whether a root is current: its age is what there is to go by, and how old is too old is yours to say.',
      [
        'sealift trust-root show',
        'sealift trust-root show vendor --max-age 30d',
        'sealift trust-root show -o json',
      ],
    ),
  },
})
