import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { described, type FormatFlag, formatAlias, formatFlag, text } from '../flags.ts'

export type BrokerCheckFlags = FormatFlag

export const brokerCheck = buildCommand<BrokerCheckFlags, [string], Context>({
  loader: async () => (await import('../run/broker-check.ts')).run,
  parameters: {
    flags: formatFlag,
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [{ parse: text, placeholder: 'DIR', brief: 'The broker, as `broker init` made it' }],
    },
  },
  docs: {
    brief: 'Tell what keeps a broker from working',
    fullDescription: described(
      'Looks at all that can be looked at without serving: configuration, keyring, stores, policies, reference values, authorities and their ends, keys of tokens, certificates of the listeners, keys of admins, access rules. Changes nothing, and may be run beside a server. Exits with 1 where anything is wrong.',
      ['sealift broker check ./broker', 'sealift broker check /etc/sealift/broker -o json'],
    ),
  },
})
