import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { described, type FormatFlag, formatFlag, type PasswordFlags, passwordFlags, text } from '../flags.ts'

export type TrustRootPackFlags = FormatFlag &
  PasswordFlags & {
    readonly output: string
    readonly key: string
    readonly version: number
    readonly name?: string
    readonly issuer?: readonly string[]
  }

const one = { kind: 'parsed', parse: text } as const

export const trustRootPack = buildCommand<TrustRootPackFlags, [string], Context>({
  loader: async () => (await import('../run/trust-root-pack.ts')).run,
  parameters: {
    flags: {
      output: { ...one, placeholder: 'TARGET', brief: 'The archive (FILE.tgz) or oci:DIR to write' },
      key: {
        ...one,
        placeholder: 'FILE',
        brief: 'Private key whose public half the far side has for this root',
      },
      ...passwordFlags,
      version: {
        kind: 'parsed',
        parse: (given: string) => {
          if (!/^[1-9]\d{0,14}$/.test(given)) throw new RangeError('it must be a whole number from 1 on')
          return Number(given)
        },
        placeholder: 'N',
        brief: 'Higher than that of every update before; the far side takes nothing lower',
      },
      name: {
        ...one,
        optional: true,
        placeholder: 'NAME',
        brief: 'What it is called on the far side (default)',
      },
      issuer: {
        ...one,
        optional: true,
        variadic: true,
        placeholder: 'URL',
        brief: 'Issuers for which it may vouch there; what the far side said itself wins',
      },
      ...formatFlag,
    },
    aliases: { o: 'output' },
    positional: {
      kind: 'tuple',
      parameters: [{ parse: text, placeholder: 'FILE', brief: 'A trusted root in JSON' }],
    },
  },
  docs: {
    brief: 'Sign a trusted root so that it can be carried over a gap',
    fullDescription: described(
      'Writes the trusted root with a version and a signature into an archive or layout; `sealift trust-root import` takes it on the far side, if a key that is named there for this root signed it.',
      [
        'sealift trust-root pack trusted_root.json -o update.tgz --key sealift.key --version 7',
        'sealift trust-root pack trusted_root.json -o oci:usb/update --key sealift.key --version 8 --name vendor',
      ],
    ),
  },
})
