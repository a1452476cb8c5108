import type { SecretStore } from '../types.ts'

/** The part of a store that lies under a prefix (which ends in `/`), as a store of its own. */
export function ownState(store: SecretStore, prefix: string): SecretStore {
  return {
    read: (key, signal) => store.read(prefix + key, signal),
    compareAndSet: (key, expected, value, signal) =>
      store.compareAndSet(prefix + key, expected, value, signal),
    list: async (begin, { after = '', limit } = {}) => {
      const page = { after: prefix + after, ...(limit !== undefined && { limit }) }
      const keys = await store.list(prefix + begin, page)
      return keys.map((key) => key.slice(prefix.length))
    },
  }
}
