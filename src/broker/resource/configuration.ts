import { type TSchema, Type } from 'typebox'
import { roles } from '#access/index.ts'
import { type Json, type SecretLimits, secretLimits } from '#base/index.ts'
import { shapeProblems, tell } from '#base/shape/index.ts'
import { readYaml } from '../configuration/read-yaml.ts'
import { isKeyName } from '../stores/secret-key.ts'
import { failure } from './codes.ts'
import { defaultKey, parseKeyTemplate } from './key-template.ts'
import type { Fact, ResourceConfiguration, StoreConfiguration } from './types.ts'

const closed = { additionalProperties: false }
const { textLength } = secretLimits
const text = Type.String({ minLength: 1, maxLength: textLength })
const object = <T extends Record<string, TSchema>>(members: T) => Type.Object(members, closed)
const optional = Type.Optional
const patterns = Type.Union([text, Type.Array(text, { minItems: 1, maxItems: 100 })])
const constraints = { required: optional(Type.Boolean()), oneOf: optional(Type.Array(text, { minItems: 1 })) }
const fact = Type.Union([
  object({
    path: Type.Union([Type.Literal('repository'), Type.Literal('type'), Type.Literal('tag')]),
    split: optional(Type.String({ minLength: 1, maxLength: 1 })),
    at: optional(Type.Integer({ minimum: 0, maximum: 63 })),
    ...constraints,
  }),
  object({ query: text, ...constraints }),
  object({ initData: Type.String({ pattern: '^(/[^/]*)+$', maxLength: textLength }), ...constraints }),
])
const facts = Type.Record(Type.String(), fact)
const users = Type.Array(Type.Enum(['guest', 'certificate', ...roles]), { uniqueItems: true })
/** Of stores that are opened here; `given` comes beside them. */
export const storePlaceSchemas = [
  object({ kind: Type.Union([Type.Literal('files'), Type.Literal('sqlite')]), path: text }),
  object({
    kind: Type.Literal('postgres'),
    url: text,
    passwordFile: optional(text),
    name: optional(text),
    connections: optional(Type.Integer({ minimum: 1, maximum: 100 })),
  }),
]
const store = object({
  place: Type.Union([...storePlaceSchemas, object({ kind: Type.Literal('given') })]),
  sealed: optional(Type.Boolean()),
  key: optional(text),
  facts: optional(facts),
  verbs: optional(
    object({
      read: optional(users),
      list: optional(users),
      write: optional(users),
      rotate: optional(users),
      delete: optional(users),
    }),
  ),
})

/** The shape of this part of the broker's configuration (JSON schema). What shapes cannot say is checked as well. */
export const resourceConfigurationSchema = object({
  version: Type.Literal(1),
  stores: Type.Record(Type.String(), store),
  default: optional(text),
  facts: optional(facts),
  routes: optional(
    Type.Array(
      object({
        when: object({
          repository: optional(patterns),
          type: optional(patterns),
          tag: optional(patterns),
          query: optional(Type.Record(Type.String(), patterns)),
          facts: optional(Type.Record(Type.String(), patterns)),
        }),
        store: text,
      }),
    ),
  ),
})

type Bounds = Pick<SecretLimits, 'configurationBytes' | 'stores' | 'routes' | 'facts'>

/** From YAML or JSON. Nothing unknown is passed over. @throws RESOURCE_CONFIGURATION_INVALID */
export function parseResourceConfiguration(
  source: string,
  limits: Bounds = secretLimits,
): ResourceConfiguration {
  return checkResourceConfiguration(readYaml(source, limits.configurationBytes, invalid), limits)
}

/** The same, of what was parsed already. @throws RESOURCE_CONFIGURATION_INVALID */
export function checkResourceConfiguration(
  value: Json,
  limits: Bounds = secretLimits,
): ResourceConfiguration {
  const problems = shapeProblems(resourceConfigurationSchema, value)
  if (problems.length > 0) throw invalid(tell(problems))
  const configuration = value as unknown as ResourceConfiguration
  const { stores, routes = [], facts = {} } = configuration
  if (Object.keys(stores).length > limits.stores) throw invalid(`/stores has more than ${limits.stores}`)
  if (routes.length > limits.routes) throw invalid(`/routes has more than ${limits.routes}`)
  const known = (name: string | undefined, where: string) => {
    if (name !== undefined && !Object.hasOwn(stores, name))
      throw invalid(`${where} names ${JSON.stringify(name)}, which is not among the stores`)
  }
  known(configuration.default, '/default')
  checkFacts(facts, '/facts', limits)
  for (const [name, configured] of Object.entries(stores)) checkStore(name, configured, facts, limits)
  for (const [at, { when, store }] of routes.entries()) {
    known(store, `/routes/${at}/store`)
    for (const name of Object.keys(when.facts ?? {})) {
      if (!Object.hasOwn(facts, name))
        throw invalid(`/routes/${at}/when/facts/${name} is not among the /facts`)
    }
  }
  return configuration
}

function checkFacts(facts: Readonly<Record<string, Fact>>, where: string, limits: Bounds): void {
  if (Object.keys(facts).length > limits.facts) throw invalid(`${where} has more than ${limits.facts}`)
  for (const [name, fact] of Object.entries(facts)) {
    if (!isKeyName(name)) throw invalid(`${where}: ${JSON.stringify(name)} cannot be the name of a fact`)
    if ('path' in fact && (fact.split === undefined) !== (fact.at === undefined))
      throw invalid(`${where}/${name} needs both split and at, or neither`)
  }
}

function checkStore(
  name: string,
  { place, key = defaultKey, facts = {} }: StoreConfiguration,
  common: Readonly<Record<string, Fact>>,
  limits: Bounds,
): void {
  const where = `/stores/${name}`
  if (!isKeyName(name)) throw invalid(`${JSON.stringify(name)} cannot be the name of a store`)
  checkFacts(facts, `${where}/facts`, limits)
  const twice = Object.keys(facts).find((fact) => Object.hasOwn(common, fact))
  if (twice) throw invalid(`${where}/facts/${twice} is among the /facts already`)
  const template = parseKeyTemplate(key)
  if (typeof template === 'string') throw invalid(`${where}/key: ${template}`)
  for (const part of template.parts) {
    if (part.kind === 'fact' && !Object.hasOwn(facts, part.name) && !Object.hasOwn(common, part.name))
      throw invalid(`${where}/key: there is no fact ${part.name}`)
  }
  if (place.kind === 'postgres') checkUrl(place.url, `${where}/place/url`, invalid)
}

/** The address is not told: it may have a password in it. */
export function checkUrl(text: string, where: string, invalid: (why: string) => Error): void {
  const url = URL.parse(text)
  if (!url || (url.protocol !== 'postgres:' && url.protocol !== 'postgresql:'))
    throw invalid(`${where} is not postgres://USER@HOST/DATABASE`)
  if (url.password !== '' || url.searchParams.has('password'))
    throw invalid(`${where} has a password in it, which belongs into a file (passwordFile)`)
}

const invalid = (why: string) =>
  failure('RESOURCE_CONFIGURATION_INVALID', `the configuration of resources is refused: ${why}`)
