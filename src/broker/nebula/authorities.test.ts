import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isFailure, leaseLimits } from '#base/index.ts'
import { MemorySecretStore } from '../../../test/support/memory-secret-store.ts'
import { at, day, hour, open } from '../../../test/support/opened-nebula.ts'
import type { NebulaConfiguration } from '../configuration/types.ts'
import { formatAuthorities, parseAuthorities } from './authority-record.ts'
import { verifyNebulaCertificate } from './verify.ts'

const refused = (code: string) => (error: unknown) => isFailure(error, code)
describe('the authorities of an open Nebula', () => {
  test('replicas that open an empty state at once have one authority', async () => {
    const store = new MemorySecretStore(() => new Promise((resolve) => setImmediate(resolve)))
    const opened = await Promise.all(Array.from({ length: 5 }, () => open(store)))
    const found = await Promise.all(opened.map(({ ca }) => ca(0)))
    assert.equal(new Set(found.flat().map(({ publicKey }) => Buffer.from(publicKey).toString('hex'))).size, 1)
    const [authority] = found[0]!
    assert.deepEqual([authority?.name, authority?.version], ['overlay', 1])
    for (const { credential } of opened)
      verifyNebulaCertificate((await credential({ name: 'web' })).certificate, found[0]!, at(0))
  })

  test('the next is trusted at once, issues later, and the one before falls out after its last certificate', async () => {
    const { admin, ca, credential } = await open()
    const [first] = await ca(0)
    assert.deepEqual(
      (await admin('POST nebula/rotate', 0)).authorities.map(({ phase }) => phase),
      ['issuing', 'announced'],
    )
    await assert.rejects(admin('POST nebula/rotate', 1), refused('NEBULA_ROTATION_PENDING'))
    const [, second, ...none] = await ca(0)
    assert.deepEqual(none, [])
    assert.deepEqual((await credential({ name: 'early' }, 2 * hour - 1)).trusted, [first, second])
    const late = await credential({ name: 'late' }, 2 * hour)
    const last = await credential({ name: 'early', duration: '48h' }, 2 * hour - 1)
    const trusted = await ca(2 * hour)
    assert.equal(verifyNebulaCertificate(last.certificate, trusted, at(2 * hour)), trusted[0])
    assert.equal(verifyNebulaCertificate(late.certificate, trusted, at(2 * hour)), trusted[1])
    const end = 50 * hour + 60
    assert.ok(last.certificate.notAfter * 1000 <= at(end).getTime())
    assert.deepEqual(await ca(end), [first, second])
    assert.deepEqual(await ca(end + 1), [second])
    const phases = (await admin('GET nebula/authorities', end + 1)).authorities.map(({ phase }) => phase)
    assert.deepEqual(phases, ['ended', 'issuing'])
  })

  test('what was allowed to last longer once is waited for', async () => {
    const { store } = await open()
    const { admin } = await open(store, { longestHours: 24 })
    const { authorities } = await admin('POST nebula/rotate', 0)
    assert.equal(authorities[0]!.trustedUntil, at(50 * hour + 60).toISOString())
    const longer = await open(new MemorySecretStore(), { longestHours: 1 })
    const after = await open(longer.store, { longestHours: 72 })
    const [told] = (await after.admin('POST nebula/rotate', 0)).authorities
    assert.equal(told!.trustedUntil, at(74 * hour + 60).toISOString())
  })

  test('another follows by itself, early enough for the longest credential', async () => {
    const { ca, credential, store } = await open()
    const lastMoment = 10 * day - 48 * hour - 2 * hour
    assert.equal((await ca(lastMoment)).length, 1)
    assert.equal((await ca(lastMoment + 1)).length, 2)
    const again = await open(store)
    const [first, second] = await again.ca(lastMoment + 2)
    const { certificate } = await credential({ name: 'web', duration: '48h' }, lastMoment + 1)
    verifyNebulaCertificate(certificate, [first!], at(lastMoment + 1))
    const later = lastMoment + 1 + 2 * hour
    verifyNebulaCertificate(
      (await credential({ name: 'db', duration: '48h' }, later)).certificate,
      [second!],
      at(later),
    )
  })

  test('of many that see the time come at once, on many replicas, one makes the next', async () => {
    const store = new MemorySecretStore(() => new Promise((resolve) => setImmediate(resolve)))
    const opened = await Promise.all(Array.from({ length: 3 }, () => open(store)))
    const moment = 10 * day - 48 * hour
    const found = await Promise.all(opened.flatMap(({ ca }) => [ca(moment), ca(moment), ca(moment)]))
    for (const trusted of found) assert.deepEqual(trusted, found[0])
    assert.equal(found[0]!.length, 2)
  })

  test('any bytes in the state are authorities or refused', async () => {
    const { store } = await open()
    const good = Buffer.from([...store.entries].find(([key]) => key === 'nebula/authorities')![1].value)
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), fc.nat(255), async (place, byte) => {
        const bytes = Buffer.from(good)
        bytes[place] = byte
        try {
          await parseAuthorities(bytes)
        } catch (error) {
          assert.ok(isFailure(error, 'NEBULA_STATE_INVALID'), String(error))
        }
      }),
    )
  })

  test('after a long sleep one issues at once; a clock that is set back finds the old one again', async () => {
    const { ca, credential } = await open()
    const [first] = await ca(0)
    const { certificate, trusted } = await credential({ name: 'web' }, 100 * day)
    verifyNebulaCertificate(certificate, trusted, at(100 * day))
    assert.equal(trusted.length, 1)
    const back = await credential({ name: 'db' }, 10)
    assert.equal(verifyNebulaCertificate(back.certificate, [first!], at(10)), first)
    // Of the name that was taken in that future its holder gets a certificate that counts now.
    const web = await credential({ name: 'web' }, 20)
    verifyNebulaCertificate(web.certificate, [first!], at(20))
    assert.ok(web.certificate.notAfter * 1000 <= at(20 + 48 * hour).getTime())
    // Before its first authority began there is nothing to issue with.
    await assert.rejects(credential({ name: 'early', duration: '1h' }, -day), refused('NEBULA_TERMS_INVALID'))
  })

  test('one that an admin removes is not trusted any longer, and another issues at once', async () => {
    const { admin, ca, credential } = await open()
    const { fingerprint } = (await admin('GET nebula/authorities', 0)).authorities[0]!
    await assert.rejects(admin('DELETE nebula/authorities/00', 1), refused('NEBULA_AUTHORITY_NOT_FOUND'))
    await admin('POST nebula/rotate', 1)
    const [, announced] = await ca(1)
    await admin(`DELETE nebula/authorities/${fingerprint}`, 2)
    assert.deepEqual(await ca(2), [announced])
    verifyNebulaCertificate((await credential({ name: 'web' }, 2)).certificate, [announced!], at(2))
    const [only] = (await admin('GET nebula/authorities', 3)).authorities
    await admin(`DELETE nebula/authorities/${only!.fingerprint}`, 3)
    const [fresh, ...none] = await ca(3)
    assert.deepEqual(none, [])
    assert.notDeepEqual(fresh, announced)
    verifyNebulaCertificate((await credential({ name: 'web' }, 3)).certificate, [fresh!], at(3))
  })

  test('there are never more than the limit, and the ones that ended make room', async () => {
    const { admin } = await open(undefined, { announceHours: 0 })
    for (let i = 1; i < leaseLimits.authorities; i++) await admin('POST nebula/rotate', i)
    await assert.rejects(admin('POST nebula/rotate', 100), refused('NEBULA_ROTATION_PENDING'))
    const { authorities } = await admin('POST nebula/rotate', 5 * day)
    assert.equal(authorities.length, leaseLimits.authorities)
    assert.equal(authorities.at(-1)!.phase, 'issuing')
  })

  test('a state that is no list of authorities is refused, and nothing of it is told', async () => {
    const { store } = await open()
    const [key] = [...store.entries.keys()].filter((name) => name.startsWith('nebula/authorities'))
    const good = Buffer.from(store.entries.get(key!)!.value).toString()
    assert.deepEqual(
      Buffer.from(formatAuthorities(await parseAuthorities(Buffer.from(good)))).toString(),
      good,
    )
    const secret = /PRIVATE KEY-----\\n([^\\]{10})/.exec(good)![1]!
    const bad = [
      '',
      '{}',
      '{"version":1,"authorities":[]}',
      good.replace('"version":1', '"version":2'),
      good.replace('"issues"', '"issued"'),
      good.replace(secret, 'AAAAAAAAAA'),
      good.slice(0, -5),
    ]
    for (const text of bad) {
      await assert.rejects(parseAuthorities(Buffer.from(text)), (error: unknown) => {
        assert.ok(isFailure(error, 'NEBULA_STATE_INVALID'))
        assert.ok(!`${error.stack} ${JSON.stringify(error)} ${error.cause}`.includes(secret))
        return true
      })
    }
    store.entries.set(key!, { value: Buffer.from('{}'), revision: 'x' })
    await assert.rejects(open(store), refused('NEBULA_STATE_INVALID'))
  })

  test('a configuration that cannot work is refused', async () => {
    const bad: Partial<NebulaConfiguration>[] = [
      { pool: { range: '10.0.0.0' } },
      { pool: { range: 'x/24' } },
      { pool: { range: '10.0.0.0/24', exclude: ['10.0.1.1'] } },
      { pool: { range: '10.0.0.0/24', exclude: ['10.0.0.0/24'] } },
      { version: 1, pool: { range: 'fd00::/64' } },
      { networks: ['10.1.0.0/16'] },
      { networks: ['0.0.0.0/0'] },
      { name: '' },
      { name: 'ä'.repeat(127) },
      { longestHours: 9000, authorityDays: 3650 },
      { longestHours: 0 },
      { defaultHours: Number.NaN },
      { announceHours: -1 },
      { authorityDays: 3, longestHours: 48 },
    ]
    for (const more of bad) {
      const store = new MemorySecretStore()
      await assert.rejects(open(store, more), refused('NEBULA_CONFIGURATION_INVALID'), JSON.stringify(more))
      assert.equal(store.entries.size, 0)
    }
    const { credential } = await open(undefined, { pool: { range: 'fd00::/64' } })
    assert.equal((await credential({ name: 'six' })).certificate.version, 2)
  })
})
