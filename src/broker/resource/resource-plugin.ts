import { type SecretLimits, secretLimits } from '#base/index.ts'
import { failure as storeFailure } from '../stores/codes.ts'
import { revisionThere } from '../stores/sealed-store.ts'
import type { Claims, Plugin, PluginRequest, Reply, SecretStore } from '../types.ts'
import { failure } from './codes.ts'
import { describe, withFacts } from './describe.ts'
import { defaultKey, type KeyTemplate, keyOf, parseKeyTemplate } from './key-template.ts'
import { listResources } from './list-resources.ts'
import { mayUse, type RolesOf } from './permission.ts'
import { problems } from './problems.ts'
import { storeFor } from './route.ts'
import type { ResourceConfiguration, ResourceDescription, StoreConfiguration, StoreVerb } from './types.ts'

export interface ResourcePluginOptions {
  readonly configuration: ResourceConfiguration
  /** All stores of the configuration, by name. */
  readonly stores: ReadonlyMap<string, SecretStore>
  readonly rolesOf: RolesOf
  readonly limits?: Pick<
    SecretLimits,
    'valueBytes' | 'attempts' | 'nameLength' | 'queryParameters' | 'textLength'
  >
}

/** A store as it is used: open, with its configuration. */
export interface UsedStore {
  readonly name: string
  readonly store: SecretStore
  readonly configuration: StoreConfiguration
  readonly template: KeyTemplate
}

/** What a request means: what the policy is told of it, and where it would be answered from. */
export interface Resolved {
  readonly description: ResourceDescription
  readonly store: UsedStore
}

export interface ResourcePlugin extends Plugin {
  /**
   * The one description that policy, route and key are made from, without reading anything.
   *
   * @throws RESOURCE_PATH_INVALID, RESOURCE_QUERY_INVALID, RESOURCE_FACT_INVALID, RESOURCE_NOT_FOUND (no route)
   */
  resolve(request: Pick<PluginRequest, 'path' | 'query' | 'caller'>): Resolved
  /**
   * What a resource policy is given as `data`: Trustee's `plugin`, `resource-path` and `query`, and in `resource` the
   * facts and the store, so that 'this TCB may have this name' is one rule. @throws as `resolve`
   */
  policyData(request: Pick<PluginRequest, 'path' | 'query' | 'caller'>): Claims
}

/**
 * `resource/REPOSITORY/TYPE/TAG`, as Trustee's plugin of that name: GET gives the value to an attested guest,
 * encrypted to its TEE; POST and PUT set it, DELETE removes it, and GET without a path lists, for admins.
 *
 * @throws RESOURCE_CONFIGURATION_INVALID where a store of the configuration is not among the given ones
 */
export function resourcePlugin(options: ResourcePluginOptions): ResourcePlugin {
  const { configuration, rolesOf, limits = secretLimits } = options
  const used = usedStores(options)

  const resolve: ResourcePlugin['resolve'] = (request) => {
    const common = describe(request, configuration.facts ?? {}, limits)
    const store = used.get(storeFor(configuration, common) ?? '')
    if (!store) throw failure('RESOURCE_NOT_FOUND', `no store has ${pathOf(common)}`)
    const description = withFacts(common, store.configuration.facts ?? {}, request.caller, limits)
    return { description, store }
  }

  const check = (verb: StoreVerb, { caller }: PluginRequest, { description, store }: Resolved): void => {
    if (mayUse(store.configuration, verb, caller, description.repository, rolesOf)) return
    throw failure('RESOURCE_FORBIDDEN', `${caller.kind} may not ${verb} ${pathOf(description)}`, {
      detail: { verb, store: store.name },
    })
  }

  async function read(request: PluginRequest, signal: AbortSignal): Promise<Reply> {
    const resolved = resolve(request)
    check('read', request, resolved)
    const { description, store } = resolved
    const stored = await store.store.read(keyOf(store.template, description), signal)
    if (!stored) throw failure('RESOURCE_NOT_FOUND', `there is no ${pathOf(description)}`)
    return reply(stored.value)
  }

  /** Sets or, for `null`, removes: whatever was there before, but only with the right to it. */
  async function change(
    request: PluginRequest,
    value: Uint8Array | null,
    signal: AbortSignal,
  ): Promise<Reply> {
    const resolved = resolve(request)
    const { description, store } = resolved
    if (value !== null && value.length > limits.valueBytes) {
      throw storeFailure(
        'SECRET_VALUE_TOO_LARGE',
        `a value of ${value.length} bytes is over the limit of ${limits.valueBytes}`,
      )
    }
    // Before anything is read: who may do nothing here does not learn what is there.
    if (value === null) check('delete', request, resolved)
    else if (!mayUse(store.configuration, 'rotate', request.caller, description.repository, rolesOf))
      check('write', request, resolved)
    const key = keyOf(store.template, description)
    for (let attempt = 0; attempt < limits.attempts; attempt++) {
      const revision = await revisionThere(store.store, key, signal)
      if (value !== null) check(revision === undefined ? 'write' : 'rotate', request, resolved)
      else if (revision === undefined)
        throw failure('RESOURCE_NOT_FOUND', `there is no ${pathOf(description)}`)
      if ((await store.store.compareAndSet(key, revision, value, signal)) !== undefined) {
        return reply(new Uint8Array())
      }
    }
    throw failure('RESOURCE_BUSY', `others change ${pathOf(description)} all the time`)
  }

  const isListing = ({ path }: Pick<PluginRequest, 'path'>) => path.length === 0
  return {
    name: 'resource',
    problems,
    resolve,
    policyData(request) {
      const { description, store } = resolve(request)
      const { repository, type, tag, query, facts } = description
      return {
        plugin: 'resource',
        'resource-path': [repository, type, tag],
        query: { ...query },
        resource: { facts: { ...facts }, store: store.name },
      }
    },
    access: (request) => (request.method === 'GET' && !isListing(request) ? 'attested' : 'admin'),
    encrypted: (request) => request.method === 'GET' && !isListing(request),
    async handle(request, _at, signal) {
      const { method, body } = request
      if (isListing(request)) {
        if (method === 'GET') return listResources(request, { used, configuration, rolesOf, limits }, signal)
      } else if (method === 'GET') return read(request, signal)
      else if (method === 'DELETE') return change(request, null, signal)
      else if (method === 'POST' || method === 'PUT') return change(request, body, signal)
      throw failure('RESOURCE_METHOD_INVALID', 'a resource has no such method')
    },
  }
}

function usedStores({ configuration, stores }: ResourcePluginOptions): ReadonlyMap<string, UsedStore> {
  const entries = Object.entries(configuration.stores).map(([name, configured]): [string, UsedStore] => {
    const store = stores.get(name)
    const template = parseKeyTemplate(configured.key ?? defaultKey)
    if (!store || typeof template === 'string')
      throw failure('RESOURCE_CONFIGURATION_INVALID', `the store ${name} is not open, or has no keys`)
    return [name, { name, store, configuration: configured, template }]
  })
  return new Map(entries)
}

const pathOf = ({
  repository,
  type,
  tag,
}: Pick<ResourceDescription, 'repository' | 'type' | 'tag'>): string => `${repository}/${type}/${tag}`

/** Whatever was made for one caller is for no cache. */
const reply = (body: Uint8Array): Reply => ({ mediaType: 'application/octet-stream', body, noStore: true })
