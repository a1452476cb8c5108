import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import {
  described,
  type FormatFlag,
  formatAlias,
  formatFlag,
  type RegistryFlags,
  registryFlags,
  text,
} from '../flags.ts'
import { type SigningFlags, signingFlags } from '../signing-flags.ts'

export type SignFlags = FormatFlag &
  RegistryFlags &
  SigningFlags & {
    readonly annotation?: readonly string[]
    readonly recursive?: boolean
    readonly legacy?: boolean
    readonly whole?: boolean
  }

export const sign = buildCommand<SignFlags, [string], Context>({
  loader: async () => (await import('../run/sign.ts')).run,
  parameters: {
    flags: {
      ...formatFlag,
      ...signingFlags,
      annotation: {
        kind: 'parsed',
        parse: text,
        variadic: true,
        optional: true,
        placeholder: 'KEY=VALUE',
        brief: 'Sign this along with the digest; may be given several times',
      },
      recursive: {
        kind: 'boolean',
        optional: true,
        brief: 'Sign each manifest inside an index as well',
      },
      legacy: {
        kind: 'boolean',
        optional: true,
        brief: 'Write cosign’s older form (tag sha256-HEX.sig) beside the bundle',
      },
      whole: {
        kind: 'boolean',
        optional: true,
        brief: 'Leave the archive as it is, and write FILE.sigstore.json over the digest of the whole file',
      },
      ...registryFlags,
    },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [{ parse: text, placeholder: 'LOCATION', brief: 'A reference, an archive or oci:DIR' }],
    },
  },
  docs: {
    brief: 'Sign an image, bundle or archive',
    fullDescription: described(
      'Signs with a key, or with an identity that a certificate authority vouches for, and writes a Sigstore bundle beside the content, as cosign 3 does. In an archive every root is signed, and the index of the archive itself: the signatures are added to the file, and whoever opens it may trust each content by its digest without reading the rest.',
      [
        'sealift sign registry.example/shop/web:1.4.0 --key sealift.key',
        'sealift sign app.tgz --key sealift.key --whole',
        'sealift sign registry.example/shop/web:1.4.0 --signing-config signing.json --identity-token-file token',
      ],
    ),
  },
})
