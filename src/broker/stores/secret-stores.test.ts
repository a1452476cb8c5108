import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { isFailure, nodeFileSystem } from '#base/index.ts'
import { PowerCutFileSystem } from '../../../test/support/power-cut-file-system.ts'
import { openFileStore } from './file-store.ts'
import { MemorySecretStore } from './memory-store.ts'
import { secretStoreTests } from './secret-store.suite.ts'
import { openSqliteStore } from './sqlite-store.ts'

const folder = mkdtempSync(join(tmpdir(), 'sealift-stores-'))
after(() => rmSync(folder, { recursive: true, force: true }))
let made = 0
const place = () => join(folder, `${++made}`)
const failsWith = (code: string) => (error: unknown) => isFailure(error, code)

secretStoreTests('in memory', {
  runs: 100,
  open: async () => ({ handles: [new MemorySecretStore()], close: async () => undefined }),
})

secretStoreTests('files on a simulated disk', {
  runs: 15,
  open: async () => {
    const fs = new PowerCutFileSystem()
    return {
      handles: [await openFileStore(fs, '/s'), await openFileStore(fs, '/s')],
      close: async () => undefined,
    }
  },
})

secretStoreTests('files', {
  runs: 4,
  open: async () => {
    const path = place()
    const handles = [await openFileStore(nodeFileSystem, path), await openFileStore(nodeFileSystem, path)]
    return { handles, close: async () => undefined }
  },
})

secretStoreTests('SQLite', {
  runs: 10,
  open: async () => {
    const path = place()
    const handles = [await openSqliteStore(path), await openSqliteStore(path)]
    return {
      handles,
      close: async () => {
        for (const handle of handles) await handle[Symbol.asyncDispose]()
      },
    }
  },
})

test('a SQLite file is its owner’s, and what is no such store is left as it is', async () => {
  const path = place()
  await using store = await openSqliteStore(path)
  await store.compareAndSet('a', undefined, new Uint8Array(10))
  for (const suffix of ['', '-wal', '-shm']) assert.equal(statSync(path + suffix).mode & 0o077, 0, suffix)

  const text = place()
  writeFileSync(text, 'not a database at all, and longer than the header of one'.repeat(10))
  await assert.rejects(openSqliteStore(text), failsWith('SECRET_STORE_FOREIGN'))
  await assert.rejects(openSqliteStore(join(place(), 'none')), failsWith('SECRET_STORE_FAILED'))

  const { DatabaseSync } = await import('node:sqlite')
  const foreign = place()
  const database = new DatabaseSync(foreign)
  database.exec('CREATE TABLE secrets (key TEXT)')
  database.close()
  const before = readFileSync(foreign)
  await assert.rejects(openSqliteStore(foreign), failsWith('SECRET_STORE_FOREIGN'))
  assert.deepEqual(readFileSync(foreign), before)
})

test('a SQLite store waits for another process, and no longer than it was told', async () => {
  const path = place()
  await using store = await openSqliteStore(path, { busyMs: 20 })
  const { DatabaseSync } = await import('node:sqlite')
  const other = new DatabaseSync(path)
  other.exec('BEGIN IMMEDIATE')
  await assert.rejects(store.compareAndSet('a', undefined, new Uint8Array()), failsWith('SECRET_STORE_BUSY'))
  assert.equal(await store.read('a'), undefined, 'readers do not wait')
  other.exec('COMMIT')
  assert.ok(await store.compareAndSet('a', undefined, new Uint8Array()))
  other.close()
})

test('a folder that holds something else is no store', async () => {
  await assert.rejects(openFileStore(nodeFileSystem, folder), failsWith('SECRET_STORE_FOREIGN'))
})
