// What every SessionStore does, whatever it stands on.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isFailure } from '#base/index.ts'
import type { Session, SessionStore } from './types.ts'

export interface SessionStoreUnderTest {
  /** A new and empty store; several handles on it are several processes, as far as that can be had here. */
  open(most?: number): Promise<{ readonly handles: readonly SessionStore[]; close(): Promise<void> }>
  /** Runs of the property: fewer where each step goes over a network. */
  readonly runs: number
}

const seconds = 300
const start = Date.UTC(2026, 10, 21)
const at = (offset: number) => new Date(start + offset * 1000)
export const sessionAt = (now: Date, more: Partial<Session> = {}): Session => ({
  id: randomBytes(16).toString('hex'),
  version: '0.4.0',
  tee: 'sample',
  nonce: randomBytes(32).toString('base64'),
  expires: new Date(now.getTime() + seconds * 1000),
  ...more,
})

export function sessionStoreTests(name: string, { open, runs }: SessionStoreUnderTest): void {
  const withStore = (act: (handles: readonly SessionStore[]) => Promise<void>, most?: number) => async () => {
    const { handles, close } = await open(most)
    try {
      await act(handles)
    } finally {
      await close()
    }
  }

  describe(`sessions: ${name}`, () => {
    test(
      'a session is made by one process, attested by another and read by all',
      withStore(async (handles) => {
        const [one, other] = [handles[0]!, handles.at(-1)!]
        for (const version of ['0.1.1', '0.2.0', '0.4.0'] as const) {
          const session = sessionAt(at(0), { version, tee: version === '0.4.0' ? 'tdx' : 'sample' })
          assert.equal(await one.read(session.id, at(0)), undefined)
          await one.create(session, at(0))
          assert.deepEqual(await other.read(session.id, at(0)), session)
          const token = `t.${'x'.repeat(2500)}.${session.id}`
          const attested = { ...session, token }
          assert.deepEqual(await other.attest(session.id, token, at(1)), attested)
          assert.deepEqual(await one.read(session.id, at(2)), attested)
        }
      }),
    )

    test(
      'the first token stays, whoever comes later or at the same time',
      withStore(async (handles) => {
        const session = sessionAt(at(0))
        await handles[0]!.create(session, at(0))
        const racing = handles.flatMap((handle, who) =>
          [0, 1, 2].map((turn) => handle.attest(session.id, `token-${who}-${turn}`, at(1))),
        )
        const tokens = (await Promise.all(racing)).map((attested) => attested?.token)
        assert.equal(new Set(tokens).size, 1, `${tokens}`)
        for (const handle of handles) {
          assert.equal((await handle.attest(session.id, 'late', at(2)))?.token, tokens[0])
          assert.equal((await handle.read(session.id, at(2)))?.token, tokens[0])
        }
      }),
    )

    test(
      'a session ends at its time, to the millisecond, and by the time that is given',
      withStore(async ([store]) => {
        const session = sessionAt(at(0))
        await store!.create(session, at(0))
        const last = new Date(session.expires.getTime() - 1)
        assert.ok(await store!.read(session.id, last))
        assert.equal(await store!.read(session.id, session.expires), undefined)
        assert.equal(await store!.attest(session.id, 'late', session.expires), undefined)
        // A clock that jumped ahead and came back ends nothing.
        assert.deepEqual(await store!.read(session.id, last), session)
        assert.equal((await store!.attest(session.id, 'token', last))?.token, 'token')
      }),
    )

    test(
      'what is no id is not found, whatever it is',
      withStore(async ([store]) => {
        const session = sessionAt(at(0))
        await store!.create(session, at(0))
        const { id } = session
        const ids = ['', id.slice(1), `${id}0`, id.toUpperCase(), ` ${id}`, '__proto__', '\0', 'é'.repeat(32)]
        // One that has no letters is its own upper case.
        for (const other of ids.filter((text) => text !== id)) {
          assert.equal(await store!.read(other, at(0)), undefined, other)
          assert.equal(await store!.attest(other, 'token', at(0)), undefined, other)
        }
        await fc.assert(
          fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 40 }), async (text) => {
            assert.equal(await store!.read(text, at(0)), undefined)
          }),
          { numRuns: runs },
        )
      }),
    )

    test(
      'sessions come and go, with a clock that jumps, as they do in a plain list',
      withStore(async (handles) => {
        const step = fc.record({
          what: fc.constantFrom('create', 'read', 'attest'),
          jump: fc.integer({ min: -400, max: 400 }),
          which: fc.nat(7),
          who: fc.nat(7),
        })
        await fc.assert(
          fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
            const list: Session[] = []
            let latest = 0
            let now = 0
            for (const { what, jump, which, who } of steps) {
              now = Math.max(0, now + jump)
              latest = Math.max(latest, now)
              const store = handles[who % handles.length]!
              if (what === 'create') {
                const session = sessionAt(at(now))
                list.push(session)
                await store.create(session, at(now))
                continue
              }
              const place = which % (list.length || 1)
              const session = list[place]
              if (!session) continue
              if (what === 'attest' && session.expires > at(now) && session.token === undefined)
                list[place] = { ...session, token: `token ${place}` }
              const got =
                what === 'read'
                  ? await store.read(session.id, at(now))
                  : await store.attest(session.id, `token ${place}`, at(now))
              // What had ended while the clock was ahead may be gone.
              if (got === undefined && session.expires <= at(latest)) {
                if (what === 'attest') list[place] = session
                continue
              }
              assert.deepEqual(got, session.expires > at(now) ? list[place] : undefined)
            }
          }),
          { numRuns: runs },
        )
      }),
    )

    test(
      'a request that has ended asks for nothing',
      withStore(async ([store]) => {
        const session = sessionAt(at(0))
        const { id } = session
        const ended = AbortSignal.abort()
        await store!.create(session, at(0))
        for (const asking of [
          () => store!.create(sessionAt(at(0)), at(0), ended),
          () => store!.read(id, at(0), ended),
          () => store!.attest(id, 'token', at(0), ended),
        ])
          await assert.rejects(asking, { name: 'AbortError' })
        assert.deepEqual(await store!.read(id, at(0)), session)
      }),
    )
  })
}

/**
 * As many as there may be, more of them, and room again when they have ended.
 *
 * @param settle waits for what the store does beside its answers
 * @param slack how many more it may take than it should
 */
export async function checkLimit(
  store: SessionStore,
  most: number,
  { settle, slack }: { readonly settle: () => Promise<unknown>; readonly slack: number },
): Promise<void> {
  const sessions = Array.from({ length: most }, () => sessionAt(at(0)))
  for (const session of sessions) await store.create(session, at(0))
  await store.attest(sessions[0]!.id, 'token', at(1))
  let refused = 0
  for (let turn = 0; turn < 10; turn++) {
    await settle()
    await store.create(sessionAt(at(1)), at(1)).catch((error: unknown) => {
      assert.ok(isFailure(error, 'SESSION_LIMIT'), `${error}`)
      refused++
    })
  }
  assert.ok(refused >= 10 - slack, `${refused} of 10 are refused`)
  // None was pushed out, attested or not.
  for (const { id } of sessions) assert.ok(await store.read(id, at(299)))
  // Whoever asks first begins to make room, and may still be refused.
  let isMade = false
  for (let turn = 0; turn < 50 && !isMade; turn++) {
    isMade = await store.create(sessionAt(at(302)), at(302)).then(
      () => true,
      () => false,
    )
    await settle()
  }
  assert.ok(isMade)
}
