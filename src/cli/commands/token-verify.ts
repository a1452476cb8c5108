import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { described, type FormatFlag, formatAlias, formatFlag, text } from '../flags.ts'

export type TokenVerifyFlags = FormatFlag & {
  readonly jwks?: string
  readonly certificate?: string
  readonly issuer?: string
}

const one = { kind: 'parsed', parse: text, optional: true } as const

export const tokenVerify = buildCommand<TokenVerifyFlags, [string], Context>({
  loader: async () => (await import('../run/token-verify.ts')).run,
  parameters: {
    flags: {
      ...formatFlag,
      jwks: {
        ...one,
        placeholder: 'FILE|URL',
        brief: "The issuer's JWK set: a broker's is at /.well-known/jwks.json",
      },
      certificate: {
        ...one,
        placeholder: 'FILE',
        brief: 'Certificates (PEM) to which the chain in the token has to lead',
      },
      issuer: { ...one, placeholder: 'ISSUER', brief: 'Who has to have issued it' },
    },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [{ parse: text, placeholder: 'FILE|-', brief: 'The token' }],
    },
  },
  docs: {
    brief: 'Check an attestation token, and tell what it says',
    fullDescription: described(
      'Checks the signature of an attestation token (an EAR), its issuer and its time, and tells what was attested. Nothing is trusted that is not named here, least of all a key in the token itself. A token that is refused exits with 5.',
      [
        'sealift token verify token.jwt --jwks https://kbs.example/.well-known/jwks.json --issuer https://kbs.example',
        'sealift token verify - --jwks jwks.json -o json < token.jwt',
        'sealift token verify token.jwt --certificate issuer.pem',
      ],
    ),
  },
})
