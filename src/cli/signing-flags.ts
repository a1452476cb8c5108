import { type PasswordFlags, passwordFlags } from './flags.ts'

/** With whose key or identity something is signed, and who bears witness. Only descriptions. */
export interface SigningFlags extends PasswordFlags {
  readonly key?: string
  readonly identityTokenFile?: string
  readonly signingConfig?: string
  readonly fulcioUrl?: string
  readonly rekorUrl?: string
  readonly rekorVersion?: 1 | 2
  readonly timestampUrl?: readonly string[]
}

const optionalText = { kind: 'parsed', parse: String, optional: true } as const

export const signingFlags = {
  key: {
    ...optionalText,
    placeholder: 'FILE',
    brief: 'Sign with this encrypted private key (`sealift key generate`, `cosign generate-key-pair`)',
  },
  ...passwordFlags,
  identityTokenFile: {
    ...optionalText,
    placeholder: 'FILE',
    brief: 'Sign as whom the OIDC token in this file names (else SIGSTORE_ID_TOKEN, or that of a GitHub job)',
  },
  signingConfig: {
    ...optionalText,
    placeholder: 'FILE',
    brief: 'Take the URLs of the signing services from this Sigstore signing configuration (v0.2)',
  },
  fulcioUrl: { ...optionalText, placeholder: 'URL', brief: 'The Fulcio that gives the certificate' },
  rekorUrl: { ...optionalText, placeholder: 'URL', brief: 'The Rekor that logs the signature' },
  rekorVersion: {
    kind: 'parsed',
    parse: (text: string): 1 | 2 => {
      if (text !== '1' && text !== '2') throw new RangeError('it must be 1 or 2')
      return text === '1' ? 1 : 2
    },
    optional: true,
    placeholder: '1|2',
    brief: 'The version of its API (1)',
  },
  timestampUrl: {
    ...optionalText,
    variadic: true,
    placeholder: 'URL',
    brief: 'A time-stamp authority (RFC 3161) that says when; may be given several times',
  },
} as const
