import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isFailure } from '#base/index.ts'
import { MemorySessions } from './index.ts'
import { openToken, sealToken, sessionKey } from './sealed-token.ts'
import { checkLimit, sessionAt, sessionStoreTests } from './session-store.suite.ts'

sessionStoreTests('in memory', {
  runs: 60,
  open: async (most) => {
    const sessions = new MemorySessions(most === undefined ? {} : { most })
    return { handles: [sessions], close: () => sessions[Symbol.asyncDispose]() }
  },
})

const at = (offset: number) => new Date(Date.UTC(2026, 10, 21) + offset * 1000)

describe('sessions of one process', () => {
  test('are refused over the limit, and none is pushed out', () =>
    checkLimit(new MemorySessions({ most: 100 }), 100, { settle: async () => undefined, slack: 0 }))

  test('what has ended goes as new ones come, some at a time', async () => {
    const sessions = new MemorySessions({ most: 1000 })
    for (let made = 0; made < 1000; made++) await sessions.create(sessionAt(at(made / 100)), at(made / 100))
    await sessions.create(sessionAt(at(400)), at(400))
    assert.equal(sessions.count, 1001 - 64)
    for (let made = 0; made < 15; made++) await sessions.create(sessionAt(at(400)), at(400))
    assert.equal(sessions.count, 16)
  })

  test('after a clock was set back, what has ended makes room although it stands behind what has not', async () => {
    const sessions = new MemorySessions({ most: 4 })
    const ahead = sessionAt(at(10_000))
    await sessions.create(ahead, at(10_000))
    for (let made = 0; made < 3; made++) await sessions.create(sessionAt(at(0)), at(0))
    await assert.rejects(sessions.create(sessionAt(at(299)), at(299)), (error) =>
      isFailure(error, 'SESSION_LIMIT'),
    )
    await sessions.create(sessionAt(at(301)), at(301))
    assert.equal(sessions.count, 2)
    assert.ok(await sessions.read(ahead.id, at(301)))
  })

  test('end with it', async () => {
    const sessions = new MemorySessions()
    const session = sessionAt(at(0))
    await sessions.create(session, at(0))
    await sessions[Symbol.asyncDispose]()
    assert.equal(await sessions.read(session.id, at(0)), undefined)
    assert.equal(sessions.count, 0)
  })
})

test('a token in a database opens by the id of its session alone', () => {
  const [id, other] = [sessionAt(at(0)).id, sessionAt(at(0)).id]
  for (const token of ['', 'a.b.c', 'x'.repeat(10_000)]) {
    const sealed = sealToken('one', id, token)
    assert.ok(!sealed.includes(id) && (token === '' || !sealed.includes(token)))
    assert.equal(openToken('one', id, sealed), token)
    assert.equal(openToken('one', other, sealed), undefined)
    assert.equal(openToken('two', id, sealed), undefined)
    assert.equal(openToken('one', sessionKey('one', id).toString('hex'), sealed), undefined)
    for (let place = 0; place < Math.min(sealed.length, 64); place++) {
      const changed = Buffer.from(sealed)
      changed[place]! ^= 1
      assert.equal(openToken('one', id, changed), undefined)
    }
    for (let length = 0; length < Math.min(sealed.length, 64); length++)
      assert.equal(openToken('one', id, sealed.subarray(0, length)), undefined)
  }
  assert.notDeepEqual(sealToken('one', id, 'token'), sealToken('one', id, 'token'))
  assert.notDeepEqual(sessionKey('one', id), sessionKey('two', id))
})
