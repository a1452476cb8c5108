import { type Static, Type } from 'typebox'
import { type AdmissionLimits, admissionLimits, type Json } from '#base/index.ts'
import { bare, shapeProblems, tell } from '#base/shape/index.ts'
import type { Environment } from '#gate/index.ts'
import { failure } from './codes.ts'
import type { EnvironmentOf } from './types.ts'

const texts = Type.Array(Type.String({ minLength: 1, maxLength: 4096 }), { maxItems: 1000 })
const text = Type.String({ minLength: 1, maxLength: 4096 })
const environment = Type.Union([Type.Literal('build'), Type.Literal('trial'), Type.Literal('production')])
const seconds = (minimum: number, maximum: number) => Type.Number({ minimum, maximum })
const closed = { additionalProperties: false } as const

/** The file of `sealift admission serve --config`: all optional, and a flag wins over each. */
export const configurationSchema = Type.Object(
  {
    /** HOST:PORT */
    listen: Type.Optional(text),
    /** HOST[/PREFIX], archives and oci:DIR, asked in this order; without any, each registry is asked itself. */
    mirrors: Type.Optional(texts),
    /** Trust policy: a file, or a folder of Rego. */
    policy: Type.Optional(text),
    /** Folder of the decisions. */
    audit: Type.Optional(text),
    /** Under which the API server reaches the webhook. */
    hostnames: Type.Optional(texts),
    addresses: Type.Optional(texts),
    certificates: Type.Optional(
      Type.Object(
        {
          /** NAMESPACE/NAME of the Secret in which all replicas keep them. */
          secret: Type.Optional(text),
          /** Or the folder of the one server. */
          directory: Type.Optional(text),
          /** Name of the webhook configurations that get the CA bundle. */
          configuration: Type.Optional(text),
          kubeconfig: Type.Optional(text),
          /** How long a certificate is good; it is issued anew when a third of it is left. */
          seconds: Type.Optional(seconds(6, 400 * 86_400)),
          authoritySeconds: Type.Optional(seconds(18, 4000 * 86_400)),
        },
        closed,
      ),
    ),
    /** PEM file: reviews only from clients with a certificate of one of these authorities. */
    clientCa: Type.Optional(text),
    environments: Type.Optional(
      Type.Object(
        {
          /** Where neither the path nor the namespace says. */
          default: Type.Optional(environment),
          /** By name of namespace; wins over the path, and so over any label. */
          namespaces: Type.Optional(Type.Record(Type.String({ maxLength: 253 }), environment)),
        },
        closed,
      ),
    ),
    /** Within which a review is answered; below `timeoutSeconds` of the webhook configurations. */
    timeoutSeconds: Type.Optional(seconds(0.1, 29)),
    /** After which proofs are asked for again. */
    refreshSeconds: Type.Optional(seconds(0.1, 3600)),
    /** For which they hold where the mirror is away. */
    staleSeconds: Type.Optional(seconds(0, 86_400)),
  },
  closed,
)

export type AdmissionConfiguration = Static<typeof configurationSchema>

/** @throws ADMISSION_CONFIGURATION_INVALID */
export function parseConfiguration(value: Json): AdmissionConfiguration {
  const problems = shapeProblems(configurationSchema, bare(value ?? {}))
  if (problems.length > 0) throw failure('ADMISSION_CONFIGURATION_INVALID', tell(problems))
  return (value ?? {}) as AdmissionConfiguration
}

/** The limits with what a configuration says of them. */
export function limitsOf(configuration: AdmissionConfiguration): AdmissionLimits {
  const { timeoutSeconds, refreshSeconds, staleSeconds } = configuration
  return {
    ...admissionLimits,
    ...(timeoutSeconds !== undefined && { reviewMs: timeoutSeconds * 1000 }),
    ...(refreshSeconds !== undefined && { refreshMs: refreshSeconds * 1000 }),
    ...(staleSeconds !== undefined && { staleMs: staleSeconds * 1000 }),
  }
}

/** What the configuration says of a namespace, then what the API server says by the path, then the default. */
export function environmentsOf({ environments = {} }: AdmissionConfiguration): EnvironmentOf {
  const byName = new Map<string, Environment>(Object.entries(environments.namespaces ?? {}))
  return (namespace, asked) => byName.get(namespace) ?? asked ?? environments.default ?? 'production'
}
