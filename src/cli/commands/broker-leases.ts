import { buildCommand, buildRouteMap } from '@stricli/core'
import { type BrokerFlags, brokerFlags } from '../broker/flags.ts'
import type { Context } from '../context.ts'
import { described, type FormatFlag, formatAlias, formatFlag, text } from '../flags.ts'

export type BrokerLeasesFlags = FormatFlag & BrokerFlags

const flags = { ...formatFlag, ...brokerFlags } as const

const ls = buildCommand<BrokerLeasesFlags, [], Context>({
  loader: async () => (await import('../run/broker-leases.ts')).ls,
  parameters: { flags, aliases: formatAlias },
  docs: {
    brief: 'List names and addresses that guests hold',
    fullDescription: described(
      'Which guest holds which name and address of the overlay network, and until when.',
      ['sealift broker leases ls --broker ./broker', 'sealift broker leases ls --broker ./broker -o json'],
    ),
  },
})

const revoke = buildCommand<BrokerLeasesFlags, [string], Context>({
  loader: async () => (await import('../run/broker-leases.ts')).revoke,
  parameters: {
    flags,
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [{ parse: text, placeholder: 'NAME', brief: 'The name that is held' }],
    },
  },
  docs: {
    brief: 'Take a name and its address away',
    fullDescription: described(
      'Ends a lease: what was issued under it is on the blocklist that nodes fetch, until it would have ended. The guest may ask for another lease if the policy lets it.',
      [
        'sealift broker leases revoke web --broker ./broker',
        'sealift broker leases revoke web --broker https://kbs.example:8443 --admin-key admin.key',
      ],
    ),
  },
})

export const brokerLeases = buildRouteMap<'ls' | 'revoke', Context>({
  routes: { ls, revoke },
  defaultCommand: 'ls',
  docs: { brief: 'Names and addresses of the overlay network' },
})
