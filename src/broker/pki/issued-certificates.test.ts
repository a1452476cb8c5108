import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pkiLimits } from '#base/index.ts'
import { admin, guest, later, made, open, start, text } from '../../../test/support/pki-scene.ts'
import { MemorySecretStore } from '../stores/index.ts'

test('a name under an exclusive profile belongs to one identity', async () => {
  const pki = open()
  const own = { profile: 'own', dns: 'a.own.example,b.own.example' }
  const shared = { profile: 'shared', dns: 'b.own.example' }
  const taken = { code: 'PKI_NAME_TAKEN' }
  const first = await made(pki, own)
  await made(pki, { profile: 'own', dns: 'a.own.example', hours: '2' })
  await assert.rejects(made(pki, own, guest('bob')), taken)
  await assert.rejects(made(pki, { profile: 'own', dns: 'c.own.example,b.own.example' }, guest('bob')), taken)
  await assert.rejects(made(pki, shared, guest('bob')), taken)
  await made(pki, shared)
  // What was refused holds no name, and ends hold only for their own certificates.
  await made(pki, { profile: 'own', dns: 'c.own.example' }, guest('eve'))
  await assert.rejects(made(pki, { profile: 'own', dns: 'a.own.example' }, guest('bob'), later(1.1)), taken)
  await made(pki, { profile: 'own', dns: 'b.own.example' }, guest('bob'), later(1.1))
  await made(pki, { profile: 'own', dns: 'a.own.example' }, guest('bob'), later(2.1))
  await assert.rejects(made(pki, { profile: 'own', dns: 'a.own.example' }, guest(), later(2.2)), taken)
  assert.ok(first.key)
  // A name comes free with a revocation.
  const { issued } = await admin(pki, 'GET', 'pki/holders/bob', {}, later(2.2))
  for (const { serial } of issued) await admin(pki, 'DELETE', `pki/issued/${serial}`, {}, later(2.2))
  await made(pki, { profile: 'own', dns: 'a.own.example' }, guest(), later(2.2))
})

test('there are bounds for one identity and for all, and what has ended is removed', async () => {
  const store = new MemorySecretStore()
  const limits = { ...pkiLimits, certificatesOfOne: 2, certificates: 4, countMs: 0, swept: 3, sweepMs: 0 }
  const pki = open(store, {}, { limits })
  const many = { code: 'PKI_TOO_MANY' }
  const one = (name: string, hours: string, at = start) =>
    made(pki, { profile: 'guest', hours }, guest(name), at)
  await one('ada', '1')
  await one('ada', '2')
  await assert.rejects(one('ada', '3'), many)
  await one('bob', '1')
  await one('eve', '2')
  await assert.rejects(one('dan', '1'), many)
  await one('eve', '2')
  await one('dan', '1', later(1.5))
  assert.deepEqual((await store.list('pki/issued/')).length, 3)
  await one('ada', '3', later(1.5))
  await assert.rejects(one('dan', '2', later(1.5)), many)
  assert.equal(await pki.sweep(later(9)), 3)
  assert.equal(await pki.sweep(later(9)), 1)
  assert.equal(await pki.sweep(later(9)), 0)
  assert.deepEqual(await store.list('pki/issued/'), [])
  assert.deepEqual(await store.list('pki/holders/'), [])
  assert.deepEqual(await store.list('pki/names/'), [])
})

test('a damaged record is refused, and one that has ended is swept all the same', async () => {
  const store = new MemorySecretStore()
  const pki = open(store)
  await made(pki, { profile: 'guest' })
  const damage = async (prefix: string, text: string) => {
    const [name] = await store.list(prefix)
    const { revision } = (await store.read(name!))!
    await store.compareAndSet(name!, revision, Buffer.from(text))
  }
  await damage('pki/issued/', '{"key":"planted"}')
  const told = (error: Error & { code?: string }) =>
    error.code === 'PKI_STATE_INVALID' && !error.message.includes('planted')
  await assert.rejects(made(pki, { profile: 'guest' }), told)
  assert.equal(await pki.sweep(later(9)), 1)
  await damage('pki/authorities', '{"format":"sealift-pki/1","key":"planted"')
  await assert.rejects(text(open(store), 'ca'), told)
})
