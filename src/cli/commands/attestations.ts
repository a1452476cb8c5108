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

export type AttestationsFlags = FormatFlag &
  RegistryFlags & { readonly type?: string; readonly predicate?: boolean }

export const attestations = buildCommand<AttestationsFlags, [string], Context>({
  loader: async () => (await import('../run/attestations.ts')).run,
  parameters: {
    flags: {
      ...formatFlag,
      type: {
        kind: 'parsed',
        parse: text,
        optional: true,
        placeholder: 'TYPE',
        brief: 'Only those of this type: a short name of `attest`, or a URI',
      },
      predicate: {
        kind: 'boolean',
        optional: true,
        brief: 'Print what they say, one JSON document per line',
      },
      ...registryFlags,
    },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [
        { parse: text, placeholder: 'LOCATION', brief: 'A reference, or one root of an archive or layout' },
      ],
    },
  },
  docs: {
    brief: 'List what is attached to an image or bundle as proof',
    fullDescription: described(
      'Lists signatures and attestations beside a content, in bundles and in cosign’s older form, with what they claim. Nothing is verified: see `verify-attestation`.',
      [
        'sealift attestations registry.example/shop/web:1.4.0',
        'sealift attestations registry.example/shop/web:1.4.0 --type cyclonedx --predicate',
        'sealift attestations archive:app.tgz:registry.example/shop/web:1.4.0 -o json',
      ],
    ),
  },
})
