import { text } from '../flags.ts'

/** Who must have signed. */
export interface SignerFlags {
  readonly key?: readonly string[]
  readonly identity?: string
  readonly identityPattern?: string
  readonly issuer?: string
  readonly issuerPattern?: string
  readonly trustedRoot?: readonly string[]
}

const one = { kind: 'parsed', parse: text, optional: true } as const
const many = { ...one, variadic: true } as const

export const signerFlags = {
  key: { ...many, placeholder: 'FILE', brief: 'A public key; one of those named must have signed' },
  identity: { ...one, placeholder: 'NAME', brief: 'Address or URI in the signer’s certificate, exactly' },
  identityPattern: {
    ...one,
    placeholder: 'REGEXP',
    brief: 'The same as a pattern (RE2) for the whole of it',
  },
  issuer: { ...one, placeholder: 'URL', brief: 'Who vouched for that identity, exactly' },
  issuerPattern: { ...one, placeholder: 'REGEXP', brief: 'The same as a pattern for the whole of it' },
  trustedRoot: {
    ...many,
    placeholder: 'FILE',
    brief: 'Sigstore trusted root; else those of `sealift trust-root import`',
  },
} as const

export const namesSigner = (flags: SignerFlags): boolean =>
  flags.key !== undefined || flags.identity !== undefined || flags.identityPattern !== undefined
