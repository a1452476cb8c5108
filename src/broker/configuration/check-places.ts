import { resolve } from 'node:path'
import type { StorePlace } from '../resource/index.ts'
import { defaultStoreName } from '../stores/postgres-store.ts'
import type { BrokerConfiguration } from './types.ts'

/** What the state is sealed as (`sealedStore`): a store of this name could open what was sealed for the state. */
const stateName = 'state'

/**
 * Each store has a place of its own. Two in one place would list each other's keys, and could neither open nor seal
 * anew what they find there: a rotation of the master key would never come to its end.
 *
 * @returns what is wrong, or undefined
 */
export function placesProblem({
  state,
  resources,
}: Pick<BrokerConfiguration, 'state' | 'resources'>): string | undefined {
  const seen = new Map([[placeOf(state), '/state']])
  for (const [name, { place }] of Object.entries(resources.stores)) {
    const where = `/resources/stores/${name}`
    if (name === stateName) return `${where}: this name is that of the broker's own state`
    if (place.kind === 'given') continue
    const key = placeOf(place)
    const other = seen.get(key)
    if (other !== undefined) {
      const remedy = place.kind === 'postgres' ? 'one of them needs another "name"' : 'it needs another path'
      return `${where} is in the place of ${other}: ${remedy}`
    }
    seen.set(key, where)
  }
  return undefined
}

/** As far as the configuration alone tells. */
function placeOf(place: Exclude<StorePlace, { kind: 'given' }>): string {
  // All stores of one database are in one table, told apart by their names; another address may be the same database.
  if (place.kind === 'postgres') return `postgres ${databaseOf(place.url)} ${place.name ?? defaultStoreName}`
  return `file ${resolve('/', place.path)}`
}

/** Whoever connects, and how, it is the same database. */
function databaseOf(url: string): string {
  const { hostname, port, pathname } = new URL(url)
  return `${hostname}:${port || '5432'}${pathname}`
}
