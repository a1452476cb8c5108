import { type Json, jsonAt, type SecretLimits, secretLimits } from '#base/index.ts'
import type { Caller, PluginRequest } from '../types.ts'
import { failure } from './codes.ts'
import { matchesAny } from './pattern.ts'
import type { Fact, FactSource, ResourceDescription } from './types.ts'

/** As Trustee's, without a `-` at the start, which programs take for an option. */
const namePattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/

type Bounds = Pick<SecretLimits, 'nameLength' | 'queryParameters' | 'textLength'>

/** The three names of a path, as they came from the URI, decoded. @throws RESOURCE_PATH_INVALID */
export function parseResourcePath(
  path: readonly string[],
  { nameLength }: Pick<Bounds, 'nameLength'> = secretLimits,
): Pick<ResourceDescription, 'repository' | 'type' | 'tag'> {
  const [repository, type, tag] = path
  const isWhole =
    path.length === 3 && path.every((name) => name.length <= nameLength && namePattern.test(name))
  if (!isWhole) throw failure('RESOURCE_PATH_INVALID', 'the path is not REPOSITORY/TYPE/TAG')
  return { repository: repository!, type: type!, tag: tag! }
}

/** A copy without a prototype, of text alone. @throws RESOURCE_QUERY_INVALID */
export function checkQuery(
  query: Readonly<Record<string, string>>,
  { queryParameters, textLength }: Pick<Bounds, 'queryParameters' | 'textLength'> = secretLimits,
): Readonly<Record<string, string>> {
  const entries: [string, unknown][] = Object.entries(query)
  if (entries.length > queryParameters)
    throw failure('RESOURCE_QUERY_INVALID', `the query has more than ${queryParameters} parameters`)
  const copy: Record<string, string> = Object.create(null)
  for (const [name, value] of entries) {
    if (typeof value !== 'string' || name.length > textLength || value.length > textLength)
      throw failure(
        'RESOURCE_QUERY_INVALID',
        `a parameter of the query is no text of up to ${textLength} characters`,
      )
    copy[name] = value
  }
  return copy
}

/** What a request asks for, with the facts that all stores share. */
export function describe(
  request: Pick<PluginRequest, 'path' | 'query' | 'caller'>,
  facts: Readonly<Record<string, Fact>>,
  limits: Bounds = secretLimits,
): ResourceDescription {
  const names = parseResourcePath(request.path, limits)
  const bare = { ...names, query: checkQuery(request.query, limits), facts: {} }
  return withFacts(bare, facts, request.caller, limits)
}

/** The description with more facts. @throws RESOURCE_FACT_INVALID, without what was said: it may be secret */
export function withFacts(
  description: ResourceDescription,
  facts: Readonly<Record<string, Fact>>,
  caller: Caller,
  { textLength }: Pick<Bounds, 'textLength'> = secretLimits,
): ResourceDescription {
  const found: Record<string, string> = Object.assign(Object.create(null), description.facts)
  for (const [name, fact] of Object.entries(facts)) {
    const value = factOf(name, fact, description, caller)
    if (value === undefined) {
      if (fact.required) throw failure('RESOURCE_FACT_INVALID', `the fact ${name} is missing`)
      continue
    }
    if (typeof value !== 'string' || value.length > textLength || /\p{C}/u.test(value))
      throw failure(
        'RESOURCE_FACT_INVALID',
        `the fact ${name} is no text on one line of up to ${textLength} characters`,
      )
    if (fact.oneOf && !matchesAny(fact.oneOf, value))
      throw failure('RESOURCE_FACT_INVALID', `the fact ${name} is none that it may be`)
    found[name] = value
  }
  return { ...description, facts: found }
}

function factOf(
  name: string,
  source: FactSource,
  description: ResourceDescription,
  caller: Caller,
): Json | undefined {
  const { query } = description
  if ('query' in source) return query[source.query]
  if ('path' in source) {
    const whole = description[source.path]
    return source.split === undefined ? whole : whole.split(source.split)[source.at ?? 0]
  }
  if (caller.kind === 'guest') return jsonAt(caller.initData, source.initData)
  return caller.kind === 'admin' ? query[name] : undefined
}
