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

export type AttestFlags = FormatFlag &
  RegistryFlags &
  SigningFlags & {
    readonly type: string
    readonly predicate: string
    readonly schema?: string
    readonly legacy?: boolean
  }

export const attest = buildCommand<AttestFlags, [string], Context>({
  loader: async () => (await import('../run/attest.ts')).run,
  parameters: {
    flags: {
      ...formatFlag,
      type: {
        kind: 'parsed',
        parse: text,
        placeholder: 'TYPE',
        brief:
          'What is said: slsaprovenance1, slsaprovenance02, vsa, cyclonedx, spdxjson, spdx, vuln, openvex, link, custom, or a URI',
      },
      predicate: {
        kind: 'parsed',
        parse: text,
        placeholder: 'FILE',
        brief: 'The file that says it',
      },
      schema: {
        kind: 'parsed',
        parse: text,
        optional: true,
        placeholder: 'FILE',
        brief: 'A JSON schema that it has to fit as well',
      },
      legacy: {
        kind: 'boolean',
        optional: true,
        brief: 'Write cosign’s older form (tag sha256-HEX.att) beside the bundle',
      },
      ...signingFlags,
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
    brief: 'Sign a statement about an image or bundle',
    fullDescription: described(
      'Signs an in-toto statement (how it was built, what is in it, what was found in it) about one content, and writes it beside the content as a Sigstore bundle. The file is checked for what its type must hold.',
      [
        'sealift attest registry.example/shop/web:1.4.0 --type cyclonedx --predicate bom.json --key sealift.key',
        'sealift attest archive:app.tgz:registry.example/shop/web:1.4.0 --type slsaprovenance1 --predicate provenance.json --key sealift.key',
        'sealift attest oci:./layout:1.4.0 --type https://example.com/review/v1 --predicate review.json --schema review.schema.json --key sealift.key',
      ],
    ),
  },
})
