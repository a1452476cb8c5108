import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { described, type FormatFlag, formatAlias, formatFlag, text } from '../flags.ts'

export type TrustRootUpdateFlags = FormatFlag & {
  readonly mirror?: string
  readonly root?: string
  readonly target?: string
  readonly issuer?: readonly string[]
  readonly replace: boolean
}

const one = { kind: 'parsed', parse: text, optional: true } as const

export const trustRootUpdate = buildCommand<TrustRootUpdateFlags, [string?], Context>({
  loader: async () => (await import('../run/trust-root-update.ts')).run,
  parameters: {
    flags: {
      ...formatFlag,
      mirror: {
        ...one,
        placeholder: 'URL',
        brief: 'The TUF repository, or a mirror of it (that of the last update)',
      },
      root: {
        ...one,
        placeholder: 'FILE',
        brief: 'Its root.json, which you had from somebody you trust; needed once',
      },
      target: { ...one, placeholder: 'NAME', brief: 'The file to fetch (trusted_root.json)' },
      issuer: {
        ...one,
        variadic: true,
        placeholder: 'URL',
        brief: 'It may vouch for identities of this issuer only; may be given several times',
      },
      replace: {
        kind: 'boolean',
        default: false,
        brief: 'Put it in place of one that came in another way, and begin with --root anew',
      },
    },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [
        { parse: text, placeholder: 'NAME', brief: 'What it is called here (default)', optional: true },
      ],
    },
  },
  docs: {
    brief: 'Fetch a trusted root from a TUF repository or its mirror',
    fullDescription: described(
      'Follows The Update Framework from the root.json that you give to the current trusted root: every role with its signatures, nothing expired, nothing older than what was seen before. What was seen is kept with the root, so that the next update needs neither --mirror nor --root.',
      [
        'sealift trust-root update --mirror https://tuf-repo-cdn.sigstore.dev --root root.json',
        'sealift trust-root update',
        'sealift trust-root update vendor --mirror https://tuf.vendor.example --root vendor-root.json --issuer https://accounts.vendor.example',
      ],
    ),
  },
})
