// Sessions of guests in a real PostgreSQL: the suite of all session stores, replicas, and what the database knows.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { isFailure } from '#base/index.ts'
import { openPostgresSessions } from '../../src/broker/sessions/postgres-sessions.ts'
import { checkLimit, sessionAt, sessionStoreTests } from '../../src/broker/sessions/session-store.suite.ts'
import { connectPostgres } from '../../src/broker/stores/postgres-connection.ts'
import { needs } from './peers.ts'
import { type PostgresServer, startPostgres } from './postgres.ts'

const start = Date.UTC(2026, 10, 21)
const at = (offset: number) => new Date(start + offset * 1000)

describe('sessions in PostgreSQL', needs('pg_ctl'), () => {
  let server: PostgresServer
  let made = 0
  before(async () => {
    server = await startPostgres()
  })
  after(() => server?.[Symbol.asyncDispose]())

  const database = () =>
    connectPostgres(server.url, { connections: 1, table: 'sealift_sessions_1', schema: 'SELECT 1' })
  async function rows(name: string, where = 'true') {
    const { query, end } = await database()
    try {
      return await query(`SELECT * FROM sealift_sessions_1 WHERE store = $1 AND ${where}`, [name])
    } finally {
      await end()
    }
  }

  sessionStoreTests('PostgreSQL', {
    runs: 25,
    open: async (most) => {
      const name = `suite${++made}`
      // At once, as replicas start: each makes the table where it is not there.
      const open = () => openPostgresSessions(server.url, { name, connections: 2, ...(most && { most }) })
      const handles = await Promise.all([open(), open(), open()])
      return {
        handles,
        close: async () => {
          for (const handle of handles) await handle[Symbol.asyncDispose]()
        },
      }
    },
  })

  test('over the limit they are refused, and what has ended makes room', async () => {
    await using sessions = await openPostgresSessions(server.url, { name: 'limit', most: 20, sweepMs: 0 })
    // A sweep is a statement beside the one that began it: what it counts may miss that one.
    await checkLimit(sessions, 20, { settle: () => setTimeout(100), slack: 4 })
  })

  test('any replica removes what has ended, in batches, and nothing of another broker', async () => {
    const { query, end } = await database()
    await using sessions = await openPostgresSessions(server.url, { name: 'swept', sweepMs: 0 })
    await using other = await openPostgresSessions(server.url, { name: 'other', sweepMs: 3_600_000 })
    const kept = sessionAt(at(0))
    await other.create(kept, at(0))
    await query(
      `INSERT INTO sealift_sessions_1 (store, key, version, tee, nonce, expires)
       SELECT 'swept', sha256(n::text::bytea), '0.4.0', 'sample', 'x', $1 FROM generate_series(1, 12000) AS n`,
      [at(300).getTime()],
    )
    await end()
    const left: number[] = []
    for (let turn = 0; turn < 40 && left.at(-1) !== 0; turn++) {
      await sessions.create(sessionAt(at(400)), at(400))
      await setTimeout(50)
      left.push((await rows('swept', `expires <= ${at(400).getTime()}`)).length)
    }
    assert.equal(left.at(-1), 0, `${left}`)
    for (const [turn, number] of left.entries())
      assert.ok((left[turn - 1] ?? 12_000) - number <= 10_000, `${left}`)
    assert.equal((await rows('other')).length, 1)
    // The other broker's session is none here, and the other way round.
    assert.deepEqual(await other.read(kept.id, at(1)), kept)
    assert.equal(await sessions.read(kept.id, at(1)), undefined)
  })

  test('the database knows neither an id nor a token, and what is changed in it is no session', async () => {
    await using sessions = await openPostgresSessions(server.url, { name: 'secret' })
    const [one, two] = [sessionAt(at(0)), sessionAt(at(0))]
    for (const session of [one, two]) {
      await sessions.create(session, at(0))
      await sessions.attest(session.id, `planted-${session.id}`, at(0))
    }
    const known = Buffer.concat(
      (await rows('secret')).flatMap((row) =>
        Object.values(row).map((value) =>
          value instanceof Uint8Array ? Buffer.from(value) : Buffer.from(String(value)),
        ),
      ),
    )
    for (const { id } of [one, two])
      for (const text of [id, Buffer.from(id, 'hex'), 'planted']) assert.ok(!known.includes(text))
    const { query, end } = await database()
    await query(
      `UPDATE sealift_sessions_1 AS mine SET token = theirs.token FROM sealift_sessions_1 AS theirs
       WHERE mine.store = 'secret' AND theirs.store = 'secret' AND mine.key <> theirs.key`,
      [],
    )
    await end()
    for (const { id } of [one, two]) {
      assert.equal(await sessions.read(id, at(1)), undefined)
      assert.equal(await sessions.attest(id, 'new', at(1)), undefined)
    }
  })

  test('a database that is gone is told by its code, without an id or a token', async () => {
    await using sessions = await openPostgresSessions(server.url, { name: 'gone' })
    const session = sessionAt(at(0))
    await sessions.create(session, at(0))
    const { query, end } = await database()
    await query('ALTER TABLE sealift_sessions_1 RENAME TO away', [])
    for (const asking of [
      () => sessions.read(session.id, at(1)),
      () => sessions.attest(session.id, 'planted', at(1)),
      () => sessions.create(sessionAt(at(1)), at(1)),
    ])
      await assert.rejects(asking, (error: unknown) => {
        assert.ok(isFailure(error, 'SECRET_STORE_FAILED'))
        const told = `${error.stack} ${JSON.stringify(error)} ${error.cause}`
        assert.ok(!told.includes(session.id) && !told.includes('planted'))
        return true
      })
    await query('ALTER TABLE away RENAME TO sealift_sessions_1', [])
    await end()
    assert.deepEqual(await sessions.read(session.id, at(1)), session)
  })
})
