// A process that counts in a secret store, so that a test can have several at once: KIND PATH COUNT. It writes a line
// for each change that it was told of.
import { writeSync } from 'node:fs'
import { nodeFileSystem } from '#base/index.ts'
import type { SecretStore } from '../../src/broker/index.ts'
import { openFileStore } from '../../src/broker/stores/file-store.ts'
import { openPostgresStore } from '../../src/broker/stores/postgres-store.ts'
import { openSqliteStore } from '../../src/broker/stores/sqlite-store.ts'

export function openStore(kind: string, path: string): Promise<SecretStore> {
  if (kind === 'postgres') return openPostgresStore(path)
  return kind === 'sqlite' ? openSqliteStore(path) : openFileStore(nodeFileSystem, path)
}

if (import.meta.main) {
  const [kind = '', path = '', count = ''] = process.argv.slice(2)
  const store = await openStore(kind, path)
  for (let done = 0; done < Number(count); ) {
    const stored = await store.read('count')
    const next = Number(stored ? Buffer.from(stored.value).toString() : 0) + 1
    if (!(await store.compareAndSet('count', stored?.revision, Buffer.from(`${next}`)))) continue
    done++
    writeSync(1, `${next}\n`)
  }
  await (store as Partial<AsyncDisposable>)[Symbol.asyncDispose]?.()
}
