import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isFailure } from '#base/index.ts'
import { MemorySecretStore } from '../stores/index.ts'
import type { SecretStore } from '../types.ts'
import { policyName, StoredPolicies } from './index.ts'
import type { PolicyName } from './types.ts'

const at = new Date('2026-11-21T12:00:00.123Z')
const files = (text: string) => [{ path: 'policy.rego', text: `package policy\nallow := ${text}` }]
const code = (name: string) => (error: unknown) => isFailure(error, name)
const set = (book: StoredPolicies, text: string, by = 'user:ada') => book.set('resource', files(text), by, at)

/** A store that fails at its nth change, before or after it was made. */
function failing(store: SecretStore, change: number, isMade: boolean): SecretStore {
  let left = change
  return {
    read: (key) => store.read(key),
    list: (prefix, page) => store.list(prefix, page),
    async compareAndSet(...terms) {
      if (left-- !== 0) return store.compareAndSet(...terms)
      if (isMade) await store.compareAndSet(...terms)
      throw new Error('the process ended')
    },
  }
}

describe('the book of policies', () => {
  test('a version is set, is in force at once, and is never changed', async () => {
    const book = new StoredPolicies(new MemorySecretStore())
    assert.equal(await book.active('resource'), undefined)
    const first = await set(book, 'true')
    assert.deepEqual(first, { ...first, name: 'resource', version: 1, at, by: 'user:ada' })
    assert.equal((await book.active('resource'))?.version, 1)
    const second = await set(book, 'false', 'user:eve')
    assert.deepEqual([second.version, second.replaces], [2, 1])
    const active = await book.active('resource')
    assert.deepEqual([active?.version, active?.policy.digest], [2, second.digest])
    assert.deepEqual(await book.read('resource', 1), first)
    assert.deepEqual(await book.read('resource'), second)
    assert.deepEqual(await book.versions('resource'), [second, first])
    await assert.rejects(book.read('resource', 3), code('POLICY_NOT_FOUND'))
    await assert.rejects(book.read('attestation/x'), code('POLICY_NOT_FOUND'))
  })

  test('a policy that does not compile is not there', async () => {
    const book = new StoredPolicies(new MemorySecretStore())
    await set(book, 'true')
    await assert.rejects(set(book, ''), code('POLICY_SYNTAX'))
    assert.equal((await book.versions('resource')).length, 1)
  })

  test('a rollback is a new version; one after another leads further back', async () => {
    const book = new StoredPolicies(new MemorySecretStore())
    const back = (to?: number) => book.rollback('resource', to, 'user:ada', at)
    await assert.rejects(back(), code('POLICY_NOT_FOUND'))
    await set(book, '1')
    await assert.rejects(back(), code('POLICY_NOT_FOUND'))
    await set(book, '2')
    await set(book, '3')
    const fourth = await back()
    assert.deepEqual([fourth.version, fourth.rollbackOf, fourth.files], [4, 2, files('2')])
    assert.deepEqual((await back()).files, files('1'))
    await assert.rejects(back(), code('POLICY_NOT_FOUND'))
    assert.deepEqual((await back(3)).files, files('3'))
    await set(book, '7')
    const again = await back()
    assert.deepEqual([again.rollbackOf, again.files], [3, files('3')])
    assert.deepEqual((await back()).files, files('2'))
    await assert.rejects(back(99), code('POLICY_NOT_FOUND'))
  })

  test('wherever a process ends, the old version or the new one is in force', async () => {
    for (const isMade of [false, true]) {
      for (const change of [0, 1]) {
        const store = new MemorySecretStore()
        const book = new StoredPolicies(store)
        await set(book, '1')
        await assert.rejects(
          set(new StoredPolicies(failing(store, change, isMade)), '2'),
          /the process ended/,
        )
        const next = new StoredPolicies(store)
        const isNew = isMade && change === 1
        assert.deepEqual((await next.read('resource')).files, files(isNew ? '2' : '1'))
        const third = await set(next, '3')
        assert.deepEqual((await next.active('resource'))?.version, third.version)
        // What never was in force is not what was there before.
        const back = await next.rollback('resource', undefined, 'user:ada', at)
        assert.deepEqual(back.files, files(isNew ? '2' : '1'))
      }
    }
  })

  test('a change that failed in between counts as soon as it is made', async () => {
    const store = new MemorySecretStore()
    await set(new StoredPolicies(store), '1')
    const book = new StoredPolicies(failing(store, 1, true), { refreshMs: 60_000 })
    assert.equal((await book.active('resource'))?.version, 1)
    await assert.rejects(set(book, '2'))
    assert.equal((await book.active('resource'))?.version, 2)
  })

  test('of many at once each gets a version of its own, or is told that it has none', async () => {
    const store = new MemorySecretStore()
    const books = [new StoredPolicies(store), new StoredPolicies(store), new StoredPolicies(store)]
    const results = await Promise.allSettled(
      Array.from({ length: 24 }, (_, turn) => set(books[turn % 3]!, String(turn))),
    )
    const made = results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []))
    for (const result of results)
      if (result.status === 'rejected') assert.ok(isFailure(result.reason, 'POLICY_BUSY'))
    assert.ok(made.length > 0)
    const versions = await books[0]!.versions('resource')
    assert.deepEqual(versions.map(({ version }) => version).sort(), made.map(({ version }) => version).sort())
    // A chain: each replaced another one, and nobody went over what they had not seen.
    const ordered = versions.toReversed()
    for (const [place, version] of ordered.entries())
      assert.equal(version.replaces, ordered[place - 1]?.version)
    assert.equal((await new StoredPolicies(store).active('resource'))?.version, ordered.at(-1)!.version)
  })

  test('another process sees a change when its time is over; many who ask are one reader', async () => {
    let reads = 0
    const store = new MemorySecretStore()
    const counting: SecretStore = {
      read: (key) => {
        reads++
        return store.read(key)
      },
      list: (prefix, page) => store.list(prefix, page),
      compareAndSet: (...terms) => store.compareAndSet(...terms),
    }
    await set(new StoredPolicies(store), '1')
    const slow = new StoredPolicies(counting, { refreshMs: 60_000 })
    const quick = new StoredPolicies(store, { refreshMs: 0 })
    const all = await Promise.all(Array.from({ length: 50 }, () => slow.active('resource')))
    assert.equal(reads, 2)
    assert.equal(new Set(all.map((one) => one?.policy)).size, 1)
    const before = await quick.active('resource')
    assert.equal((await quick.active('resource'))?.policy, before?.policy)
    await set(new StoredPolicies(store), '2')
    assert.equal((await slow.active('resource'))?.version, 1)
    assert.equal((await quick.active('resource'))?.version, 2)
  })

  test('only so many versions are kept', async () => {
    const book = new StoredPolicies(new MemorySecretStore(), { most: 3 })
    for (const text of ['1', '2', '3', '4', '5']) await set(book, text)
    assert.deepEqual(
      (await book.versions('resource')).map(({ version }) => version),
      [5, 4, 3],
    )
    assert.equal((await book.active('resource'))?.version, 5)
  })

  test('names are those of policies that there are', async () => {
    const book = new StoredPolicies(new MemorySecretStore())
    await set(book, 'true')
    const attestation = [{ path: 'a.rego', text: 'package policy\ntrust_claims := {"hardware": 2}' }]
    for (const name of ['attestation/default_cpu', 'attestation/head'] satisfies PolicyName[])
      await book.set(name, attestation, 'user:ada', at)
    assert.deepEqual(await book.names(), ['attestation/default_cpu', 'attestation/head', 'resource'])
  })

  test('a damaged record is told, and not taken', async () => {
    const store = new MemorySecretStore()
    const book = new StoredPolicies(store, { refreshMs: 0 })
    await set(book, 'true')
    const key = 'policies/resource/versions/000000001'
    const { revision } = (await store.read(key))!
    await store.compareAndSet(key, revision, Buffer.from('{"version":1}'))
    await assert.rejects(book.active('resource'), code('POLICY_RECORD_INVALID'))
    await store.compareAndSet(key, (await store.read(key))!.revision, null)
    await assert.rejects(book.active('resource'), code('POLICY_RECORD_INVALID'))
  })

  test('a name is `resource`, or an attestation id that a store can bear', () => {
    assert.equal(policyName(['attestation', 'default_cpu']), 'attestation/default_cpu')
    assert.equal(policyName(['attestation', 'x'.repeat(128)]).length, 140)
    for (const bad of [
      [],
      ['other'],
      ['resource', 'x'],
      ['attestation'],
      ['attestation', ''],
      ['attestation', '.'],
      ['attestation', 'a/b'],
      ['attestation', '..', 'resource'],
      ['attestation', 'a', 'b'],
      ['attestation', 'ä'],
      ['attestation', 'x'.repeat(129)],
    ])
      assert.throws(() => policyName(bad), code('POLICY_NAME_INVALID'), JSON.stringify(bad))
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 4 }), (names) => {
        try {
          assert.match(policyName(names), /^(resource|attestation\/\w[\w.-]*)$/)
        } catch (error) {
          assert.ok(isFailure(error, 'POLICY_NAME_INVALID'))
        }
      }),
    )
  })
})
