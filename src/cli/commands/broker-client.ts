import { buildCommand, buildRouteMap } from '@stricli/core'
import type { Context } from '../context.ts'
import { described, type FormatFlag, formatAlias, formatFlag, text } from '../flags.ts'

export const keyKinds = ['P-256', 'P-521', 'RSA-OAEP-256', 'RSA1_5', 'ML-KEM-768'] as const
export const protocols = ['0.1.0', '0.1.1', '0.2.0', '0.4.0'] as const

export type BrokerClientTokenFlags = FormatFlag & {
  readonly url?: string
  readonly tee: 'sample'
  readonly keyKind?: (typeof keyKinds)[number]
  readonly protocol: (typeof protocols)[number]
  readonly initData?: string
}
export type BrokerClientFlags = BrokerClientTokenFlags & { readonly query?: readonly string[] }

const guestFlags = {
  ...formatFlag,
  url: {
    kind: 'parsed',
    parse: text,
    optional: true,
    placeholder: 'URL',
    brief: 'Where guests ask (http://127.0.0.1:8080)',
  },
  tee: { kind: 'enum', values: ['sample'], default: 'sample', brief: 'Whose evidence is made' },
  keyKind: {
    kind: 'enum',
    values: keyKinds,
    optional: true,
    brief: "The TEE's key, to which replies are encrypted (P-256; RSA1_5 for protocols 0.1.x)",
  },
  protocol: { kind: 'enum', values: protocols, default: '0.4.0', brief: 'The version that is spoken' },
  initData: {
    kind: 'parsed',
    parse: text,
    optional: true,
    placeholder: 'FILE',
    brief: 'Init-data (TOML) with which the guest says it was started',
  },
} as const

const get = buildCommand<BrokerClientFlags, [string], Context>({
  loader: async () => (await import('../run/broker-client.ts')).get,
  parameters: {
    flags: {
      ...guestFlags,
      query: {
        kind: 'parsed',
        parse: text,
        variadic: true,
        optional: true,
        placeholder: 'NAME=VALUE',
        brief: 'A parameter of the request; may be given several times',
      },
    },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [{ parse: text, placeholder: 'PATH', brief: 'Plugin and path: resource/default/key/one' }],
    },
  },
  docs: {
    brief: 'Attest as a guest, and get what a path names',
    fullDescription: described(
      "A guest's view of a broker: attests with evidence of the sample TEE and a new key, asks, and writes the bytes as they are to standard output. A refusal exits with 5, what is not there with 3.",
      [
        'sealift broker client get resource/default/key/disk > disk.key',
        'sealift broker client get resource/default/key/disk --url http://kbs.example:8080 --protocol 0.1.1',
        'sealift broker client get nebula-ca/credential --query name=web --init-data ./init-data.toml',
      ],
    ),
  },
})

const token = buildCommand<BrokerClientTokenFlags, [], Context>({
  loader: async () => (await import('../run/broker-client.ts')).token,
  parameters: { flags: guestFlags, aliases: formatAlias },
  docs: {
    brief: 'Attest as a guest, and show the token',
    fullDescription: described(
      'Attests with evidence of the sample TEE and a new key, and writes the token to standard output: for trying services that take tokens. Whoever has it can use it until it ends.',
      [
        'sealift broker client token > token.jwt',
        'sealift broker client token --url https://kbs.example --init-data ./init-data.toml',
      ],
    ),
  },
})

export const brokerClient = buildRouteMap<'get' | 'token', Context>({
  routes: { get, token },
  docs: { brief: 'What a guest sees of a broker' },
})
