import { buildCommand, buildRouteMap } from '@stricli/core'
import { type BrokerFlags, brokerFlags } from '../broker/flags.ts'
import type { Context } from '../context.ts'
import { described, type FormatFlag, formatAlias, formatFlag, text } from '../flags.ts'

export type BrokerResourceFlags = FormatFlag & BrokerFlags

const flags = { ...formatFlag, ...brokerFlags } as const
const resource = {
  parse: text,
  placeholder: 'REPO/TYPE/TAG',
  brief: 'The resource: default/key/one',
} as const

const put = buildCommand<BrokerResourceFlags, [string, string?], Context>({
  loader: async () => (await import('../run/broker-resource.ts')).put,
  parameters: {
    flags,
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [
        resource,
        { parse: text, optional: true, placeholder: 'FILE', brief: 'Its value; standard input without one' },
      ],
    },
  },
  docs: {
    brief: 'Set a secret',
    fullDescription: described(
      'Sets a secret from a file or standard input, never from an argument, which everybody on the machine can read. Where it lies is up to the routes of broker.yaml. The change is written down before it is made.',
      [
        'sealift broker resource put default/key/disk ./disk.key --broker ./broker',
        'head -c 32 /dev/urandom | sealift broker resource put default/key/disk --broker ./broker',
        'sealift broker resource put shop/tls/web web.key --broker https://kbs.example:8443 --admin-key admin.key',
      ],
    ),
  },
})

const get = buildCommand<BrokerResourceFlags, [string], Context>({
  loader: async () => (await import('../run/broker-resource.ts')).get,
  parameters: { flags, aliases: formatAlias, positional: { kind: 'tuple', parameters: [resource] } },
  docs: {
    brief: 'Read a secret, where the store lets admins do so',
    fullDescription: described(
      'Writes the bytes of a secret to standard output. By default nobody but attested guests reads: a store says under `verbs` which roles do. Each reading is written down.',
      [
        'sealift broker resource get default/key/disk --broker ./broker > disk.key',
        'SEALIFT_BROKER=https://kbs.example:8443 sealift broker resource get shop/tls/web --admin-key admin.key',
      ],
    ),
  },
})

const ls = buildCommand<BrokerResourceFlags, [string?], Context>({
  loader: async () => (await import('../run/broker-resource.ts')).ls,
  parameters: {
    flags,
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [{ parse: text, optional: true, placeholder: 'REPO', brief: 'Only of this repository' }],
    },
  },
  docs: {
    brief: 'List secrets by name',
    fullDescription: described('Names alone, of those repositories that you may list; no value is read.', [
      'sealift broker resource ls --broker ./broker',
      'sealift broker resource ls default --broker ./broker -o json',
    ]),
  },
})

const rm = buildCommand<BrokerResourceFlags, [string], Context>({
  loader: async () => (await import('../run/broker-resource.ts')).rm,
  parameters: { flags, aliases: formatAlias, positional: { kind: 'tuple', parameters: [resource] } },
  docs: {
    brief: 'Remove a secret',
    fullDescription: described('Removes a secret from its store. Guests that hold it keep what they have.', [
      'sealift broker resource rm default/key/disk --broker ./broker',
      'sealift broker resource rm shop/tls/web --broker https://kbs.example:8443 --admin-key admin.key',
    ]),
  },
})

export const brokerResource = buildRouteMap<'put' | 'get' | 'ls' | 'rm', Context>({
  routes: { put, get, ls, rm },
  docs: { brief: 'Secrets that guests may get' },
})
