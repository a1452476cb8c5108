import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { described, type FormatFlag, formatAlias, formatFlag, text } from '../flags.ts'

export type BrokerServeFlags = FormatFlag & { readonly listen?: string; readonly verbose: boolean }

export const brokerServe = buildCommand<BrokerServeFlags, [string], Context>({
  loader: async () => (await import('../run/broker-serve.ts')).run,
  parameters: {
    flags: {
      ...formatFlag,
      listen: {
        kind: 'parsed',
        parse: text,
        optional: true,
        placeholder: 'HOST:PORT',
        brief: 'Where guests ask, over what broker.yaml says; port 0 takes a free one',
      },
      verbose: { kind: 'boolean', default: false, brief: 'One line for each request on stderr' },
    },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [{ parse: text, placeholder: 'DIR', brief: 'The broker, as `broker init` made it' }],
    },
  },
  docs: {
    brief: 'Answer guests: secrets for what proves itself',
    fullDescription: described(
      'The key broker of a directory, for guests that speak the protocol of Trustee (0.1.0, 0.1.1, 0.2.0, 0.4.0): they attest, and get secrets, certificates and network identities where the policy allows. Refusals are told on stderr, a line of JSON each; every decision is in the audit log. SIGHUP has certificates and keys of the listeners read again.',
      [
        'sealift broker serve ./broker',
        'sealift broker serve ./broker --listen 0.0.0.0:8080 --verbose',
        'sealift broker serve ./broker --listen 127.0.0.1:0 -o json',
      ],
    ),
  },
})
