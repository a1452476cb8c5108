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

export type KeyShowFlags = FormatFlag & PasswordFlags

export const keyShow = buildCommand<KeyShowFlags, [string], Context>({
  loader: async () => (await import('../run/key-show.ts')).run,
  parameters: {
    flags: { ...formatFlag, ...passwordFlags },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [{ parse: text, placeholder: 'FILE', brief: 'A public key, or an encrypted private key' }],
    },
  },
  docs: {
    brief: 'Tell what a key file holds, and its public key',
    fullDescription: described(
      'Prints the algorithm, the id (SHA-256 of the public key, by which policies and logs name it), the hint by which sigstore bundles name it, and the public key in PEM. A private key is asked its password for; nothing secret is printed.',
      ['sealift key show sealift.pub', 'sealift key show sealift.key --password-file ./password -o json'],
    ),
  },
})
