import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import {
  described,
  type FormatFlag,
  formatAlias,
  formatFlag,
  type PasswordFlags,
  passwordFlags,
  text,
} from '../flags.ts'

export type KeyImportFlags = FormatFlag &
  PasswordFlags & {
    readonly out: string
    readonly oldPasswordEnv?: string
    readonly oldPasswordFile?: string
  }

export const keyImport = buildCommand<KeyImportFlags, [string], Context>({
  loader: async () => (await import('../run/key-import.ts')).run,
  parameters: {
    flags: {
      ...formatFlag,
      out: {
        kind: 'parsed',
        parse: text,
        default: 'sealift',
        placeholder: 'PREFIX',
        brief: 'Write PREFIX.key and PREFIX.pub; neither may be there',
      },
      ...passwordFlags,
      oldPasswordEnv: {
        ...passwordFlags.passwordEnv,
        brief: 'Take the password of FILE, where it is encrypted, from this environment variable',
      },
      oldPasswordFile: {
        ...passwordFlags.passwordFile,
        brief: 'Take the password of FILE, where it is encrypted, from this file',
      },
    },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [{ parse: text, placeholder: 'FILE', brief: 'A private key in PEM, plain or of cosign' }],
    },
  },
  docs: {
    brief: 'Encrypt a private key that you have already',
    fullDescription: described(
      'Reads a private key in PEM (PKCS #8, SEC 1 or PKCS #1; or a key of cosign, to give it another password), and writes PREFIX.key, encrypted, and PREFIX.pub. FILE stays as it is: remove it when you have seen that the new one opens (`sealift key show`).',
      [
        'sealift key import private.pem --out release',
        'sealift key import cosign.key --old-password-env COSIGN_PASSWORD --password-file ./new --out rotated',
      ],
    ),
  },
})
