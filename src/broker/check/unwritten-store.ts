import type { SecretStore, Stored } from '../types.ts'

/** A store that takes changes and never writes them: what is made only by looking at it stays in memory. */
export function unwrittenStore(store: SecretStore): SecretStore {
  const changed = new Map<string, Stored | undefined>()
  let revisions = 0
  const read = async (key: string, signal?: AbortSignal) =>
    changed.has(key) ? changed.get(key) : await store.read(key, signal)
  return {
    read,
    list: (prefix, page) => store.list(prefix, page),
    async compareAndSet(key, expectedRevision, value, signal) {
      if ((await read(key, signal))?.revision !== expectedRevision) return undefined
      const revision = `unwritten-${++revisions}`
      changed.set(key, value === null ? undefined : { value: Uint8Array.from(value), revision })
      return revision
    },
  }
}
