import { type TSchema, Type } from 'typebox'
import { protocolVersions, tees } from '#attestation/index.ts'
import { statementsSchema } from '../references/statement-rules.ts'
import { resourceConfigurationSchema, storePlaceSchemas } from '../resource/configuration.ts'

const object = <T extends Record<string, TSchema>>(members: T) =>
  Type.Object(members, { additionalProperties: false })
const optional = Type.Optional
const path = Type.String({
  minLength: 1,
  maxLength: 4096,
  description: 'a path, relative to the configuration',
})
const text = Type.String({ minLength: 1, maxLength: 1024 })
const texts = Type.Array(text, { minItems: 1, maxItems: 1000, uniqueItems: true })
const whole = (minimum: number, maximum: number) => Type.Integer({ minimum, maximum })
const address = Type.String({ pattern: '^(\\[[0-9A-Fa-f:.]+\\]|[^:\\s]+):[0-9]{1,5}$', maxLength: 300 })
const days = whole(1, 36_500)
const hours = Type.Number({ exclusiveMinimum: 0, maximum: 8784 })
const tls = object({ certificate: path, key: path })

const admin = object({
  listen: address,
  tls: optional(tls),
  url: optional(Type.String({ pattern: '^https?://[^/?#\\s]+$', maxLength: 1024 })),
  keys: optional(
    Type.Array(object({ principal: text, publicKey: path, kbsClient: optional(Type.Boolean()) }), {
      maxItems: 1000,
    }),
  ),
  issuers: optional(
    Type.Array(object({ issuer: text, audience: text, keys: path, groupsClaim: optional(text) }), {
      maxItems: 100,
    }),
  ),
  clientCa: optional(path),
})

const nebula = object({
  name: text,
  version: optional(Type.Union([Type.Literal(1), Type.Literal(2)])),
  curve: optional(Type.Union([Type.Literal('CURVE25519'), Type.Literal('P256')])),
  networks: optional(texts),
  authorityDays: optional(days),
  announceHours: optional(Type.Number({ minimum: 0, maximum: 8760 })),
  pool: object({ range: text, exclude: optional(texts) }),
  defaultHours: optional(hours),
  longestHours: optional(hours),
})

const profile = object({
  use: Type.Array(Type.Union([Type.Literal('client'), Type.Literal('server')]), {
    minItems: 1,
    uniqueItems: true,
  }),
  hours: optional(hours),
  longestHours: optional(hours),
  dns: optional(texts),
  ip: optional(texts),
  spiffe: optional(Type.Boolean()),
  exclusiveNames: optional(Type.Boolean()),
})

const pki = object({
  trustDomain: Type.String({ pattern: '^[a-z0-9._-]{1,255}$' }),
  keys: optional(Type.Enum(['ecdsa-p256', 'ecdsa-p384', 'ed25519', 'rsa-3072'])),
  rootDays: optional(days),
  intermediateDays: optional(days),
  profiles: optional(Type.Record(Type.String({ maxLength: 64 }), profile)),
  crlAddress: optional(Type.String({ pattern: '^https?://', maxLength: 1024 })),
  clientCertificates: optional(Type.Boolean()),
})

const limits = object({
  requestsPerSecond: optional(whole(0, 1_000_000)),
  requestBurst: optional(whole(1, 1_000_000)),
  loginFailuresPerSecond: optional(Type.Number({ exclusiveMinimum: 0, maximum: 1000 })),
  bodyBytes: optional(whole(1024, 64 * 1024 * 1024)),
  bodiesBytes: optional(whole(1024, 64 * 1024 * 1024 * 1024)),
  requestSeconds: optional(Type.Number({ minimum: 0.1, maximum: 600 })),
  headersSeconds: optional(Type.Number({ minimum: 0.1, maximum: 600 })),
  concurrent: optional(whole(1, 100_000)),
  connections: optional(whole(1, 100_000)),
  stopSeconds: optional(Type.Number({ minimum: 0, maximum: 600 })),
})

const { version, ...resources } = resourceConfigurationSchema.properties

/** broker.yaml as a JSON schema. What shapes cannot say is checked by `parseBrokerConfiguration` as well. */
export const brokerConfigurationSchema = object({
  version,
  issuer: text,
  listen: optional(address),
  admin: optional(admin),
  tls: optional(tls),
  state: Type.Union(storePlaceSchemas),
  keyring: object({ file: path, keyFile: optional(path), passwordFile: optional(path) }),
  sessions: optional(
    object({
      kind: optional(Type.Union([Type.Literal('memory'), Type.Literal('postgres')])),
      seconds: optional(whole(10, 86_400)),
      most: optional(whole(1, 10_000_000)),
    }),
  ),
  audit: Type.Union([
    object({ kind: Type.Literal('files'), path }),
    object({ kind: Type.Literal('postgres') }),
  ]),
  tees: Type.Array(Type.Enum([...tees]), { uniqueItems: true }),
  protocols: optional(Type.Array(Type.Enum([...protocolVersions]), { minItems: 1, uniqueItems: true })),
  rsa1_5: optional(Type.Boolean()),
  tokenSeconds: optional(whole(10, 86_400)),
  trustedTokens: optional(
    Type.Array(object({ issuer: text, keys: optional(path), certificates: optional(path) }), {
      maxItems: 100,
    }),
  ),
  identity: optional(
    Type.Array(Type.String({ pattern: '^(/[^/]*)+$', maxLength: 1024 }), { minItems: 1, maxItems: 16 }),
  ),
  access: path,
  resources: object(resources),
  references: optional(object({ statements: statementsSchema })),
  nebula: optional(nebula),
  pki: optional(pki),
  packages: optional(
    Type.Array(
      object({
        path,
        digest: Type.String({ pattern: '^sha256:[0-9a-f]{64}$' }),
        kind: Type.Union([Type.Literal('store'), Type.Literal('plugin')]),
        name: text,
        options: optional(Type.Record(Type.String(), Type.Unsafe<unknown>({}))),
      }),
      { maxItems: 64 },
    ),
  ),
  limits: optional(limits),
  metrics: optional(Type.Enum(['guests', 'admin', 'none'])),
})
