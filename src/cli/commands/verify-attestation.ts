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
import { type SignerFlags, signerFlags } from '../gate/signer-flags.ts'

export type VerifyAttestationFlags = FormatFlag &
  RegistryFlags &
  SignerFlags & { readonly type: string; readonly predicate?: boolean }

export const verifyAttestation = buildCommand<VerifyAttestationFlags, [string], Context>({
  loader: async () => (await import('../run/verify-attestation.ts')).run,
  parameters: {
    flags: {
      ...formatFlag,
      type: {
        kind: 'parsed',
        parse: text,
        placeholder: 'TYPE',
        brief: 'Which attestation has to be there: a short name of `attest`, or a URI',
      },
      predicate: {
        kind: 'boolean',
        optional: true,
        brief: 'Print what the good ones say, one JSON document per line',
      },
      ...signerFlags,
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
    brief: 'Verify who attested what about an image or bundle',
    fullDescription: described(
      'Judges the attestations of one type beside a content, in bundles and in cosign’s older form, and succeeds where at least one was signed by somebody who was named. Every check that was made is listed; what was refused, and why, goes to stderr. Exits with 5 where there is none.',
      [
        'sealift verify-attestation registry.example/shop/web:1.4.0 --type cyclonedx --key sealift.pub',
        'sealift verify-attestation registry.example/shop/web:1.4.0 --type slsaprovenance1 --identity releases@shop.example --issuer https://accounts.example',
        'sealift verify-attestation archive:app.tgz:registry.example/shop/web:1.4.0 --type vuln --key sealift.pub --predicate',
      ],
    ),
  },
})
