// The store of secrets in a real PostgreSQL: the suite of all stores, several processes, and what errors tell.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { isFailure } from '#base/index.ts'
import { openPostgresStore } from '../../src/broker/stores/postgres-store.ts'
import { secretStoreTests } from '../../src/broker/stores/secret-store.suite.ts'
import { openStore } from '../support/secret-store-worker.ts'
import { needs } from './peers.ts'
import { type PostgresServer, startPostgres } from './postgres.ts'
import { Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())

describe('secrets in PostgreSQL', needs('pg_ctl'), () => {
  let server: PostgresServer
  let made = 0
  before(async () => {
    server = await startPostgres()
  })
  after(() => server?.[Symbol.asyncDispose]())

  secretStoreTests('PostgreSQL', {
    runs: 50,
    open: async () => {
      const name = `store${++made}`
      const open = () => openPostgresStore(server.url, { name })
      const handles = await Promise.all([open(), open(), open()])
      return {
        handles,
        close: async () => {
          for (const handle of handles) await handle[Symbol.asyncDispose]()
        },
      }
    },
  })

  test('stores of one database know nothing of each other', async () => {
    await using one = await openPostgresStore(server.url, { name: 'one' })
    await using two = await openPostgresStore(server.url, { name: 'two' })
    assert.ok(await one.compareAndSet('a', undefined, new Uint8Array(1)))
    assert.equal(await two.read('a'), undefined)
    assert.deepEqual(await two.list(''), [])
  })

  test('processes that count at once lose nothing', async () => {
    const worker = join(import.meta.dirname, '..', 'support', 'secret-store-worker.ts')
    const children = [1, 2, 3].map(() =>
      spawn(process.execPath, [worker, 'postgres', server.url, '50'], {
        stdio: ['ignore', 'ignore', 'inherit'],
      }),
    )
    const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]))
    assert.deepEqual(codes, [0, 0, 0])
    await using store = await openPostgresStore(server.url)
    assert.equal(Buffer.from((await store.read('count'))!.value).toString(), '150')
  })

  test('a process that is killed while it writes takes nothing with it, whatever the store', async () => {
    const worker = join(import.meta.dirname, '..', 'support', 'secret-store-worker.ts')
    const places = { postgres: server.url.replace(/postgres$/, 'template1'), files: '', sqlite: '' }
    for (const [kind, given] of Object.entries(places)) {
      const place = given || bench.path(kind)
      const told: number[] = []
      const children = [1, 2, 3].map(() => {
        const child = spawn(process.execPath, [worker, kind, place, '1000000'], {
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        createInterface(child.stdout).on('line', (line) => told.push(Number(line)))
        return child
      })
      const closed = children.map((child) => once(child, 'close'))
      for (const [at, child] of children.entries()) {
        const goal = told.length + 20
        for (let waitedMs = 0; told.length < goal; waitedMs += 5) {
          assert.ok(waitedMs < 60_000, `${kind}: the ${children.length - at} that live go on`)
          await setTimeout(5)
        }
        child.kill('SIGKILL')
      }
      await Promise.all(closed)
      const store = await openStore(kind, place)
      const last = Number(Buffer.from((await store.read('count'))!.value).toString())
      await (store as Partial<AsyncDisposable>)[Symbol.asyncDispose]?.()
      assert.equal(new Set(told).size, told.length, 'no number is told twice')
      // What is missing came through, and its writer was killed before it could tell.
      const missing = Array.from({ length: last }, (_, at) => at + 1).filter(
        (number) => !told.includes(number),
      )
      assert.ok(
        Math.max(...told) <= last && missing.length <= children.length,
        `${kind}: ${missing} of ${last}`,
      )
    }
  })

  test('a database that refuses or is gone is told by its code, without a password or a value', async () => {
    const refused = new URL(server.url)
    refused.pathname = '/none'
    refused.password = 'planted-password'
    await assert.rejects(openPostgresStore(refused.href), (error: unknown) => {
      assert.ok(isFailure(error, 'SECRET_STORE_FAILED'))
      assert.equal(error.detail.sqlState, '3D000')
      assert.doesNotMatch(`${error.stack} ${JSON.stringify(error)}`, /planted/)
      return true
    })
    await assert.rejects(openPostgresStore('not a url planted-password'), (error: unknown) => {
      assert.ok(isFailure(error, 'SECRET_STORE_FAILED'))
      assert.doesNotMatch(`${error.stack} ${JSON.stringify(error)} ${error.cause}`, /planted/)
      return true
    })
  })
})
