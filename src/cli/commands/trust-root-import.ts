import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { described, type FormatFlag, formatAlias, formatFlag, text } from '../flags.ts'

export type TrustRootImportFlags = FormatFlag & {
  readonly name?: string
  readonly issuer?: readonly string[]
  readonly key?: readonly string[]
  readonly replace: boolean
}

const many = { kind: 'parsed', parse: text, optional: true, variadic: true } as const

export const trustRootImport = buildCommand<TrustRootImportFlags, [string], Context>({
  loader: async () => (await import('../run/trust-root-import.ts')).run,
  parameters: {
    flags: {
      ...formatFlag,
      name: {
        kind: 'parsed',
        parse: text,
        optional: true,
        placeholder: 'NAME',
        brief: 'What it is called here, in policies and records (default; an update says its name)',
      },
      issuer: {
        ...many,
        placeholder: 'URL',
        brief: 'It may vouch for identities of this issuer only; may be given several times',
      },
      key: {
        ...many,
        placeholder: 'FILE',
        brief: 'Public key of who may carry updates of it; remembered with it',
      },
      replace: {
        kind: 'boolean',
        default: false,
        brief: 'Put it in place of one that is newer, or is kept up to date in another way',
      },
    },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [
        {
          parse: text,
          placeholder: 'FILE',
          brief: 'A trusted root in JSON, or an archive or oci:DIR with a signed update',
        },
      ],
    },
  },
  docs: {
    brief: 'Trust a certificate authority with its logs and time-stamp authorities',
    fullDescription: described(
      'Keeps a Sigstore trusted root in the state directory, where verify and the gate find it. Without --issuer it may vouch for every identity. A signed update (`sealift trust-root pack`) counts only where a key that was named for this root signed it, and only if its version is higher than the one here.',
      [
        'sealift trust-root import trusted_root.json --name vendor --issuer https://accounts.vendor.example --key vendor.pub',
        'sealift trust-root import update.tgz',
        'sealift trust-root import oci:usb/update -o json',
      ],
    ),
  },
})
