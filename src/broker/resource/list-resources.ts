import { canonicalJson, type SecretLimits, secretLimits } from '#base/index.ts'
import type { PluginRequest, Reply } from '../types.ts'
import { failure } from './codes.ts'
import { checkQuery } from './describe.ts'
import { keyPrefix, resourceOf } from './key-template.ts'
import { mayUse, type RolesOf } from './permission.ts'
import type { UsedStore } from './resource-plugin.ts'
import type { ResourceConfiguration, ResourceDescription } from './types.ts'

interface Listing {
  readonly used: ReadonlyMap<string, UsedStore>
  readonly configuration: ResourceConfiguration
  readonly rolesOf: RolesOf
  readonly limits: Pick<SecretLimits, 'queryParameters' | 'textLength'>
}

/** Pages of a store that one request looks through: an admin who may see little must come again. */
const mostPages = 16

/**
 * What is in a store, by the query: `store` (or the default one), `repository`, `after` (a page's `next`), `limit`.
 * Only repositories whose resources the admin may list are told. The reply is JSON: `{store, resources: [{repository,
 * type, tag, facts}], next}`; where there is a `next` there may be more.
 *
 * @throws RESOURCE_QUERY_INVALID, RESOURCE_NOT_FOUND, RESOURCE_FORBIDDEN
 */
export async function listResources(
  { query, caller }: PluginRequest,
  { used, configuration, rolesOf, limits }: Listing,
  signal: AbortSignal,
): Promise<Reply> {
  const { store: asked, repository, after, limit: limitText = '100' } = checkQuery(query, limits)
  const limit = /^[1-9]\d{0,3}$/.test(limitText) ? Number(limitText) : 0
  if (limit === 0 || limit > secretLimits.pageKeys)
    throw failure('RESOURCE_QUERY_INVALID', `the limit is not a number from 1 to ${secretLimits.pageKeys}`)
  if (caller.kind !== 'admin') throw failure('RESOURCE_FORBIDDEN', 'only an admin may list')
  const store = used.get(asked ?? configuration.default ?? '')
  if (!store) throw failure('RESOURCE_NOT_FOUND', 'there is no such store, or no default one')
  const mayList = (name: string) => mayUse(store.configuration, 'list', caller, name, rolesOf)

  const resources: Omit<ResourceDescription, 'query'>[] = []
  const prefix = keyPrefix(store.template, repository)
  let next = after
  for (let page = 0; page < mostPages && resources.length < limit; page++) {
    signal.throwIfAborted()
    const size = limit - resources.length
    const keys = await store.store.list(prefix, { limit: size, ...(next !== undefined && { after: next }) })
    for (const key of keys) {
      const found = resourceOf(store.template, key)
      if (found && (repository === undefined || found.repository === repository) && mayList(found.repository))
        resources.push(found)
    }
    next = keys.length < size ? undefined : keys.at(-1)
    if (next === undefined) break
  }
  const body = canonicalJson({ store: store.name, resources, ...(next !== undefined && { next }) })
  return { mediaType: 'application/json', body, noStore: true }
}
