import { type PasswordFlags, passwordFlags, text } from '../flags.ts'

/** Which broker a command administers, and with what. Only descriptions: nothing here may load more than a name. */
export interface BrokerFlags extends PasswordFlags {
  readonly broker?: string
  readonly adminKey?: string
}

export const brokerFlags = {
  broker: {
    kind: 'parsed',
    parse: text,
    optional: true,
    placeholder: 'DIR|URL',
    brief: "The broker's folder, or the address of its admins' listener (else SEALIFT_BROKER)",
  },
  adminKey: {
    kind: 'parsed',
    parse: text,
    optional: true,
    placeholder: 'FILE',
    brief:
      'The private key that proves you to the listener (else SEALIFT_ADMIN_KEY, else a client certificate of certs.d)',
  },
  ...passwordFlags,
} as const
