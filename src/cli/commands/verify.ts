import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import {
  type ConcurrencyFlag,
  concurrencyFlag,
  described,
  type FormatFlag,
  formatAlias,
  formatFlag,
  type PlatformFlag,
  platformFlag,
  type RegistryFlags,
  registryFlags,
  text,
} from '../flags.ts'
import { type GateFlags, gateFlags } from '../gate/flags.ts'
import { type SignerFlags, signerFlags } from '../gate/signer-flags.ts'

export type VerifyFlags = FormatFlag &
  RegistryFlags &
  ConcurrencyFlag &
  PlatformFlag &
  GateFlags &
  SignerFlags & {
    readonly proofsOnly: boolean
    readonly against?: string
  }

export const verify = buildCommand<VerifyFlags, [string], Context>({
  loader: async () => (await import('../run/verify.ts')).run,
  parameters: {
    flags: {
      ...signerFlags,
      ...gateFlags,
      proofsOnly: {
        kind: 'boolean',
        default: false,
        brief: 'Check signatures alone, and read no content: milliseconds, however large it is',
      },
      against: {
        kind: 'parsed',
        parse: text,
        optional: true,
        placeholder: 'SOURCE',
        brief: 'Show that everything that SOURCE has is here too, each signature and SBOM included',
      },
      ...formatFlag,
      ...platformFlag,
      ...concurrencyFlag,
      ...registryFlags,
    },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [{ parse: text, placeholder: 'LOCATION', brief: 'An archive, oci:DIR or reference' }],
    },
  },
  docs: {
    brief: 'Check every digest, who signed it, and what the policy says of it',
    fullDescription: described(
      'Reads every byte at a location: each content against its digest and size, the whole graph from the roots, and nothing beside it. With --key or --identity and --issuer, somebody who is named must have signed each root, or the archive as a whole; with --policy, the trust policy must let it in, which is recorded. Every check that was made is named. Exits with 5 where something is not as it should be. For a reference, everything is fetched and hashed; --platform says which children of an index have to be there.',
      [
        'sealift verify app.tgz --key vendor.pub',
        'sealift verify registry.example/shop/web:1.4.0 --identity ci@vendor.example --issuer https://accounts.vendor.example --trusted-root root.json',
        'sealift verify app.tgz --policy trust.yaml --environment production -o json',
      ],
    ),
  },
})
