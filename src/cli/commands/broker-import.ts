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

export type BrokerImportFlags = FormatFlag &
  PasswordFlags & { readonly sample: boolean; readonly owner?: string }

export const brokerImport = buildCommand<BrokerImportFlags, [string, string], Context>({
  loader: async () => (await import('../run/broker-import.ts')).run,
  parameters: {
    flags: {
      ...formatFlag,
      sample: {
        kind: 'boolean',
        default: false,
        brief: 'Take evidence of the sample TEE, which anybody can make: for trying alone',
      },
      owner: {
        kind: 'parsed',
        parse: text,
        optional: true,
        placeholder: 'PRINCIPAL',
        brief: 'Who may administer it (user: and your name)',
      },
      ...passwordFlags,
    },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [
        { parse: text, placeholder: 'FILE', brief: "Trustee's configuration (TOML)" },
        { parse: text, placeholder: 'DIR', brief: 'A folder that has no broker yet' },
      ],
    },
  },
  docs: {
    brief: "Make a key broker out of Trustee's configuration",
    fullDescription: described(
      "Reads the configuration of Trustee's KBS and makes a new broker that answers as it did: what has its like here is taken over, with the keys of its admins, and resources, policies and reference values that lie in files (LocalFs, LocalJson); each member that has not is named, and why. Nothing of Trustee's is changed.",
      [
        'sealift broker import kbs-config.toml ./broker',
        'sealift broker import /etc/kbs-config.toml ./broker --password-file ./password -o json',
      ],
    ),
  },
})
