import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isFailure, type LeaseLimits, leaseLimits } from '#base/index.ts'
import { MemorySecretStore } from '../../../test/support/memory-secret-store.ts'
import { openSqliteStore } from '../stores/index.ts'
import type { SecretStore } from '../types.ts'
import { Leases } from './leases.ts'
import { formatNetwork, parseAddress, parseNetwork } from './network.ts'
import { createPool } from './pool.ts'

const refused = (code: string) => (error: unknown) => isFailure(error, code)
const at = (seconds: number) => new Date(1_800_000_000_000 + seconds * 1000)
const open = (
  store: SecretStore = new MemorySecretStore(),
  range = '10.0.0.0/29',
  limits: LeaseLimits = leaseLimits,
) =>
  new Leases({
    store,
    prefix: 'leases',
    pool: createPool({ name: 'p', range: parseNetwork(range) }),
    graceMs: 0,
    limits,
  })
const ask = (holder: string, name: string, seconds = 60) => ({ holder, name, durationMs: seconds * 1000 })
const fingerprint = (digit: string) => digit.repeat(64)
const address = (text: string) => parseAddress(text).address

describe('leases', () => {
  test('the same question is the same lease, on every replica', async () => {
    const store = new MemorySecretStore()
    const first = await open(store).claim(ask('h', 'web'), at(0))
    assert.deepEqual(await open(store).claim(ask('h', 'web'), at(1)), first)
    assert.deepEqual(
      await open(store).claim({ ...ask('h', 'web'), address: first.network.address }, at(2)),
      first,
    )
    assert.equal(formatNetwork(first.network).slice(0, 7), '10.0.0.')
    assert.equal(first.until.getTime(), at(60).getTime())
  })

  test('a lease past its half is made longer, with the same address', async () => {
    const leases = open()
    const first = await leases.claim(ask('h', 'web'), at(0))
    const second = await leases.claim(ask('h', 'web'), at(31))
    assert.deepEqual(second, { ...first, until: at(91) })
  })

  test('a name belongs to one holder, whatever its case, until its end and the grace', async () => {
    const store = new MemorySecretStore()
    const pool = createPool({ name: 'p', range: parseNetwork('10.0.0.0/29') })
    const leases = new Leases({ store, prefix: 'leases', pool, graceMs: 5000 })
    await leases.claim(ask('h', 'web'), at(0))
    await assert.rejects(leases.claim(ask('H', 'Web'), at(64)), refused('LEASE_NAME_TAKEN'))
    assert.equal((await leases.claim(ask('H', 'Web'), at(65))).holder, 'H')
  })

  test('an address belongs to one name until its lease ends or is released', async () => {
    const leases = open()
    const wanted = { address: address('10.0.0.3') }
    await leases.claim({ ...ask('h', 'web'), ...wanted }, at(0))
    await assert.rejects(
      leases.claim({ ...ask('h', 'db'), ...wanted }, at(1)),
      refused('LEASE_ADDRESS_TAKEN'),
    )
    await assert.rejects(
      leases.claim({ ...ask('h', 'web'), address: address('10.0.0.4') }, at(1)),
      refused('LEASE_ADDRESS_DIFFERS'),
    )
    await leases.release('h', 'web', at(2))
    assert.equal(
      (await leases.claim({ ...ask('g', 'db'), ...wanted }, at(2))).network.address,
      wanted.address,
    )
    assert.equal(
      (await leases.claim({ ...ask('h', 'app'), ...wanted }, at(62))).network.address,
      wanted.address,
    )
  })

  test('a pool gives every address once, and then says that it is empty', async () => {
    const leases = open()
    const found = new Set<string>()
    for (let i = 0; i < 6; i++)
      found.add(formatNetwork((await leases.claim(ask('h', `n${i}`), at(0))).network))
    assert.equal(found.size, 6)
    await assert.rejects(leases.claim(ask('h', 'n6'), at(0)), refused('LEASE_POOL_EXHAUSTED'))
    assert.equal((await leases.claim(ask('g', 'n6'), at(60))).name, 'n6')
    const tries = { ...leaseLimits, candidates: 2 }
    const few = open(new MemorySecretStore(), '10.0.0.0/30', { ...tries })
    await few.claim(ask('h', 'a'), at(0))
    assert.ok(await few.claim(ask('h', 'b'), at(0)))
    const one = open(new MemorySecretStore(), '10.0.0.0/29', { ...tries, candidates: 0 })
    await assert.rejects(one.claim(ask('h', 'a'), at(0)), refused('LEASE_POOL_EXHAUSTED'))
  })

  test('what was left half-way by a crash is its holder’s again, and keeps no address from others', async () => {
    // Every step of a claim in turn is the last one.
    for (let last = 1; last < 8; last++) {
      let steps = 0
      const store = new MemorySecretStore(async () => {
        if (++steps > last) throw new Error('the power is off')
      })
      const wanted = { address: address('10.0.0.3') }
      const crashed = await open(store)
        .claim({ ...ask('h', 'web', 600), ...wanted }, at(0))
        .then(
          () => undefined,
          (error: unknown) => error,
        )
      const again = new MemorySecretStore()
      for (const [key, stored] of store.entries) again.entries.set(key, stored)
      assert.equal((await open(again).claim(ask('h', 'web', 600), at(1))).holder, 'h')
      if (crashed) assert.ok((crashed as Error).message === 'the power is off', String(crashed))
    }
  })

  test('what is issued is remembered, given again, and revoked with the lease', async () => {
    const leases = open()
    const lease = await leases.claim(ask('h', 'web'), at(0))
    let made = 0
    const make = async () => {
      made++
      return { fingerprints: [fingerprint('a')], until: at(60).getTime(), answer: { made } }
    }
    const first = await leases.issue(lease, 'r', at(0), make, () => true)
    assert.deepEqual(await leases.issue(lease, 'r', at(1), make, () => true), first)
    assert.deepEqual([made, first.answer], [1, { made: 1 }])
    await leases.release('h', 'web', at(2))
    assert.deepEqual(await leases.revocations.fingerprints(at(3)), [fingerprint('a')])
    assert.deepEqual(await leases.revocations.fingerprints(at(60)), [])
    await assert.rejects(
      leases.issue(lease, 'r', at(3), make, () => true),
      refused('LEASE_NOT_FOUND'),
    )
  })

  test('as much is issued under one lease as the limit says', async () => {
    const leases = open(new MemorySecretStore(), '10.0.0.0/29', {
      ...leaseLimits,
      issued: 2,
    })
    const lease = await leases.claim(ask('h', 'web'), at(0))
    const make = async () => ({ fingerprints: [], until: at(30).getTime(), answer: null })
    await leases.issue(lease, '1', at(0), make, () => true)
    await leases.issue(lease, '2', at(0), make, () => true)
    await assert.rejects(
      leases.issue(lease, '3', at(0), make, () => true),
      refused('LEASE_REQUEST_INVALID'),
    )
    await leases.issue(lease, '3', at(30), make, () => true)
  })

  test('a revoked holder loses its leases and gets none until it is reinstated', async () => {
    const leases = open()
    await leases.claim(ask('h', 'web'), at(0))
    await leases.claim(ask('h', 'db'), at(0))
    await leases.claim(ask('g', 'app'), at(0))
    assert.deepEqual((await leases.revokeHolder('h', 'lost', at(1))).sort(), ['db', 'web'])
    await assert.rejects(leases.claim(ask('h', 'web'), at(2)), refused('LEASE_HOLDER_REVOKED'))
    const running = await Array.fromAsync(leases.running(at(2)))
    assert.deepEqual(
      running.map(({ name }) => name),
      ['app'],
    )
    await leases.reinstateHolder('h')
    await leases.claim(ask('h', 'web'), at(3))
  })

  test('a name is revoked by an admin, and released by its holder alone', async () => {
    const leases = open()
    await leases.claim(ask('h', 'web'), at(0))
    await assert.rejects(leases.release('g', 'web', at(1)), refused('LEASE_NOT_FOUND'))
    await leases.revokeName('web', at(1))
    await assert.rejects(leases.revokeName('web', at(1)), refused('LEASE_NOT_FOUND'))
  })

  test('the list of the revoked is whole, or is refused', async () => {
    const limits = { ...leaseLimits, revoked: 2, pageKeys: 1 }
    const { revocations } = open(new MemorySecretStore(), '10.0.0.0/29', limits)
    for (const digit of 'ab') await revocations.add(fingerprint(digit), 'h', at(60).getTime(), at(0))
    assert.deepEqual(await revocations.fingerprints(at(1)), [fingerprint('a'), fingerprint('b')])
    await revocations.add(fingerprint('c'), 'h', at(60).getTime(), at(0))
    await assert.rejects(revocations.fingerprints(at(1)), refused('LEASE_BUSY'))
    await assert.rejects(
      revocations.add('../x', 'h', at(60).getTime(), at(0)),
      refused('LEASE_REQUEST_INVALID'),
    )
  })

  test('a holder makes the list of the revoked long for nobody else', async () => {
    const leases = open(new MemorySecretStore(), '10.0.0.0/29', { ...leaseLimits, releasedByHolder: 2 })
    const releaseOne = async (holder: string, digit: string, seconds: number) => {
      const lease = await leases.claim(ask(holder, holder), at(seconds))
      const made = { fingerprints: [fingerprint(digit)], until: lease.until.getTime(), answer: null }
      await leases.issue(
        lease,
        digit,
        at(seconds),
        async () => made,
        () => true,
      )
      await leases.release(holder, holder, at(seconds))
    }
    await releaseOne('h', 'a', 0)
    await releaseOne('h', 'b', 1)
    await assert.rejects(releaseOne('h', 'c', 2), refused('LEASE_BUSY'))
    await releaseOne('g', 'd', 2)
    // An admin always can, and the holder can again once something has ended.
    await leases.revokeName('h', at(3))
    assert.equal((await leases.revocations.fingerprints(at(3))).length, 4)
    await releaseOne('h', 'e', 61)
  })

  test('what another replica revoked is seen after a while, and what was revoked here at once', async () => {
    const store = new MemorySecretStore()
    const pool = createPool({ name: 'p', range: parseNetwork('10.0.0.0/29') })
    const [here, there] = [0, 1].map(() => new Leases({ store, prefix: 'leases', pool, refreshMs: 60_000 }))
    assert.deepEqual(await here!.revocations.fingerprints(at(0)), [])
    await there!.revocations.add(fingerprint('b'), 'h', at(60).getTime(), at(0))
    assert.deepEqual(await here!.revocations.fingerprints(at(0)), [])
    await here!.revocations.add(fingerprint('a'), 'h', at(60).getTime(), at(0))
    assert.deepEqual(await here!.revocations.fingerprints(at(0)), [fingerprint('a')])
    assert.deepEqual(await there!.revocations.fingerprints(at(0)), [fingerprint('a'), fingerprint('b')])
  })

  test('an address that the pool no longer gives is not given for longer', async () => {
    const store = new MemorySecretStore()
    const before = await open(store).claim(ask('h', 'web'), at(0))
    assert.equal(formatNetwork(before.network).startsWith('10.0.0.'), true)
    const after = await open(store, '10.9.0.0/29').claim(ask('h', 'web'), at(1))
    assert.equal(formatNetwork(after.network).startsWith('10.9.0.'), true)
    await assert.rejects(
      open(store, '10.9.0.0/29').claim(ask('g', 'web'), at(2)),
      refused('LEASE_NAME_TAKEN'),
    )
    const six = await open(store, 'fd00::/64').claim(ask('h', 'web'), at(3))
    assert.equal(six.network.family, 6)
  })

  test('sweeping removes what has ended, and nothing else', async () => {
    const store = new MemorySecretStore()
    const leases = open(store)
    await leases.claim(ask('h', 'short', 10), at(0))
    const long = await leases.claim(ask('h', 'long', 100), at(0))
    await leases.revocations.add(fingerprint('a'), 'h', at(10).getTime(), at(0))
    assert.equal(await leases.sweep(at(10)), 3)
    assert.equal(store.entries.size, 2)
    assert.deepEqual(await leases.claim(ask('h', 'long', 100), at(11)), long)
  })

  test('names, holders, times and addresses that cannot be are refused', async () => {
    const leases = open()
    const bad = [
      '',
      'a..b',
      '-a',
      'a/b',
      '../a',
      'a b',
      'ä',
      `${'a'.repeat(63)}b`,
      `${'a.'.repeat(126)}ab`,
      "a'; drop",
    ]
    for (const name of bad) {
      await assert.rejects(leases.claim(ask('h', name), at(0)), refused('LEASE_REQUEST_INVALID'), name)
    }
    const { holderLength, leaseMs } = leaseLimits
    for (const request of [
      ask('', 'a'),
      ask('h'.repeat(holderLength + 1), 'a'),
      ask('\ud800', 'a'),
      ask('h', 'a', leaseMs / 1000 + 1),
      ask('h', 'a', 0.5),
      { ...ask('h', 'a'), address: address('10.0.0.0') },
      { ...ask('h', 'a'), address: address('10.0.1.1') },
    ]) {
      await assert.rejects(leases.claim(request, at(0)), refused('LEASE_REQUEST_INVALID'))
    }
    assert.ok(
      await leases.claim(ask('h'.repeat(holderLength), `${'a.'.repeat(126)}a`, leaseMs / 1000), at(0)),
    )
  })

  test('what the store holds is read strictly, and not told', async () => {
    const values = [
      '',
      '{}',
      '[]',
      '{"secret":1}',
      '{"id":"x","id":"x"}',
      'x'.repeat(leaseLimits.recordBytes + 1),
    ]
    for (const value of values) {
      const store = new MemorySecretStore()
      await open(store).claim(ask('h', 'web'), at(0))
      for (const key of [...store.entries.keys()]) {
        const before = store.entries.get(key)!
        store.entries.set(key, { value: Buffer.from(value), revision: before.revision })
      }
      await assert.rejects(open(store).claim(ask('h', 'web'), at(1)), (error: Error) => {
        return isFailure(error, 'LEASE_RECORD_INVALID') && !error.message.includes('secret')
      })
    }
  })
})

test('leases stand on a real store, in SQLite, with two replicas asking at once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'leases-'))
  try {
    await using store = await openSqliteStore(join(folder, 'store.db'))
    const replicas = [open(store, '10.0.0.0/28'), open(store, '10.0.0.0/28')]
    const names = Array.from({ length: 14 }, (_, i) => `n${i}`)
    const found = await Promise.all(
      names.flatMap((name) => replicas.map((leases) => leases.claim(ask('h', name), at(0)))),
    )
    assert.equal(new Set(found.map(({ network }) => network.address)).size, 14)
    assert.equal(new Set(found.map(({ id }) => id)).size, 14)
    await assert.rejects(replicas[0]!.claim(ask('h', 'one-more'), at(0)), refused('LEASE_POOL_EXHAUSTED'))
    assert.equal((await replicas[1]!.revokeHolder('h', 'lost', at(1))).length, 14)
    assert.equal((await replicas[0]!.claim(ask('g', 'n0'), at(1))).holder, 'g')
    assert.equal(await replicas[0]!.sweep(at(61)), 2)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

/** What one of many askers does next; `tick` moves the clock of all. */
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('claim' as const),
      fixed: fc.option(fc.nat(1)),
      seconds: fc.integer({ min: 1, max: 9 }),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'release' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'sweep' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'revoke' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('tick' as const), seconds: fc.integer({ min: 1, max: 9 }) }),
  },
)
const asker = fc.record({
  holder: fc.constantFrom('h', 'g', 'f'),
  name: fc.constantFrom('a', 'b', 'c'),
  steps: fc.array(step, { maxLength: 5 }),
})

test('however the steps of many askers mix, no address or name ever has two holders', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(asker, { minLength: 2, maxLength: 5 }),
      async (scheduler, askers) => {
        const store = new MemorySecretStore(() => scheduler.schedule(Promise.resolve()))
        let clock = 0
        const granted = new Map<string, { holder: string; name: string; address: bigint; until: number }>()
        const ended = new Set<string>()
        // A release or revocation ends a lease when it removes the record under its name, not before or after.
        const ending: SecretStore = {
          read: (key) => store.read(key),
          list: (prefix, page) => store.list(prefix, page),
          async compareAndSet(key, revision, value) {
            const before = store.entries.get(key)
            const done = await store.compareAndSet(key, revision, value)
            if (done === undefined || value !== null || !before || !key.includes('/name/')) return done
            ended.add((JSON.parse(Buffer.from(before.value).toString()) as { id: string }).id)
            return done
          },
        }
        const run = async ({ holder, name, steps }: (typeof askers)[number]) => {
          // Two addresses for three names: there is always somebody in the way.
          const leases = open(store, '10.0.0.0/30')
          for (const now of steps) {
            try {
              if (now.kind === 'tick') clock += now.seconds
              else if (now.kind === 'sweep') await leases.sweep(at(clock))
              else if (now.kind === 'release') {
                await open(ending, '10.0.0.0/30').release(holder, name, at(clock))
              } else if (now.kind === 'revoke') {
                await open(ending, '10.0.0.0/30').revokeName(name, at(clock))
              } else {
                const fixed = now.fixed === null ? {} : { address: address(`10.0.0.${1 + now.fixed}`) }
                const lease = await leases.claim({ ...ask(holder, name, now.seconds), ...fixed }, at(clock))
                assert.deepEqual([lease.holder, lease.name], [holder, name])
                granted.set(lease.id, {
                  holder,
                  name,
                  address: lease.network.address,
                  until: lease.until.getTime(),
                })
                const counting = [...granted].filter(
                  ([id, { until }]) => !ended.has(id) && until > at(clock).getTime(),
                )
                const names = counting.map(([, grant]) => grant.name)
                const addresses = counting.map(([, grant]) => grant.address)
                assert.equal(new Set(names).size, names.length, 'a name has two leases')
                assert.equal(new Set(addresses).size, addresses.length, 'an address has two leases')
              }
            } catch (error) {
              if (!isFailure(error) || !/^LEASE_(NAME|ADDRESS|POOL|NOT|BUSY)/.test(error.code)) throw error
            }
          }
        }
        await scheduler.waitFor(Promise.all(askers.map(run)))
        // Nothing leaked: once all has ended, everything is free and a sweep leaves nothing.
        const leases = open(store, '10.0.0.0/30')
        await scheduler.waitFor(leases.sweep(at(clock + 10)))
        assert.equal(store.entries.size, 0)
      },
    ),
    { numRuns: 150 },
  )
})
