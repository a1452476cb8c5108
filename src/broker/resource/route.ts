import { matchesAny } from './pattern.ts'
import type { ResourceConfiguration, ResourceDescription, RouteCondition } from './types.ts'

/** The store of a resource, by the first route that matches; undefined where there is neither one nor a default. */
export function storeFor(
  configuration: Pick<ResourceConfiguration, 'routes' | 'default'>,
  description: ResourceDescription,
): string | undefined {
  const route = (configuration.routes ?? []).find(({ when }) => matches(when, description))
  return route?.store ?? configuration.default
}

function matches(when: RouteCondition, description: ResourceDescription): boolean {
  const { repository, type, tag, query = {}, facts = {} } = when
  return (
    (repository === undefined || matchesAny(repository, description.repository)) &&
    (type === undefined || matchesAny(type, description.type)) &&
    (tag === undefined || matchesAny(tag, description.tag)) &&
    matchesMembers(query, description.query) &&
    matchesMembers(facts, description.facts)
  )
}

/** What is absent matches nothing, not even `*`. */
const matchesMembers = (
  wanted: Readonly<Record<string, string | readonly string[]>>,
  found: Readonly<Record<string, string>>,
): boolean =>
  Object.entries(wanted).every(
    ([name, patterns]) => Object.hasOwn(found, name) && matchesAny(patterns, found[name]!),
  )
