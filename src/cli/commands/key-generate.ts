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

/** As `keyAlgorithms` of the room keys, which a description does not load; a test holds them the same. */
export const keyTypes = ['ed25519', 'ecdsa-p256', 'ecdsa-p384', 'ecdsa-p521', 'rsa'] as const

export type KeyGenerateFlags = FormatFlag &
  PasswordFlags & {
    readonly type: (typeof keyTypes)[number]
    readonly rsaBits?: number
    readonly out: string
  }

export const keyGenerate = buildCommand<KeyGenerateFlags, [], Context>({
  loader: async () => (await import('../run/key-generate.ts')).run,
  parameters: {
    flags: {
      ...formatFlag,
      type: { kind: 'enum', values: keyTypes, default: 'ecdsa-p256', brief: 'What kind of key' },
      rsaBits: {
        kind: 'parsed',
        parse: (input: string) => {
          const bits = Number(input)
          if (![2048, 3072, 4096].includes(bits)) throw new RangeError('it must be 2048, 3072 or 4096')
          return bits
        },
        optional: true,
        placeholder: 'BITS',
        brief: 'Size of an RSA key (3072)',
      },
      out: {
        kind: 'parsed',
        parse: text,
        default: 'sealift',
        placeholder: 'PREFIX',
        brief: 'Write PREFIX.key and PREFIX.pub; neither may be there',
      },
      ...passwordFlags,
    },
    aliases: formatAlias,
    positional: { kind: 'tuple', parameters: [] },
  },
  docs: {
    brief: 'Make a key to sign with',
    fullDescription: described(
      "Makes a key and writes it twice: PREFIX.key holds the private key, encrypted with a password in cosign's format and readable to its owner alone; PREFIX.pub holds the public key in PEM. Files that are there are never overwritten. ecdsa-p256 is what every tool reads; ed25519 signatures are the smallest.",
      [
        'sealift key generate',
        'sealift key generate --type ed25519 --out release --password-file ./password',
        'COSIGN_PASSWORD=... sealift key generate --type rsa --rsa-bits 4096 -o json',
      ],
    ),
  },
})
