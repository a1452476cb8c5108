import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pkiLimits } from '#base/index.ts'
import { parseCertificates } from '#keys/index.ts'
import {
  admin,
  checkChain,
  guest,
  later,
  made,
  open,
  request,
  signal,
  start,
  text,
} from '../../../test/support/pki-scene.ts'
import { MemorySecretStore } from '../stores/index.ts'

test('a rotation keeps what the old authorities issued, until the last of it has ended', async () => {
  const store = new MemorySecretStore()
  const [pki, other] = [open(store), open(store)]
  const old = await made(pki, { profile: 'guest' })
  const count = async (at: Date) => parseCertificates(await text(other, 'ca', at)).length
  assert.equal(await count(start), 2)
  assert.equal((await admin(pki, 'POST', 'pki/rotate')).intermediates.length, 2)
  assert.equal(await count(start), 3)
  const next = await made(other, { profile: 'guest', hours: '24' })
  const [before, after] = [await checkChain(other, old), await checkChain(other, next)]
  assert.deepEqual(before.root.raw, after.root.raw)
  assert.notDeepEqual(before.intermediate.raw, after.intermediate.raw)
  for (const { x509 } of [old, next]) assert.ok(await pki.certificateCaller(x509.raw, start))
  assert.equal((await made(pki, { profile: 'guest' })).certificate, old.certificate)
  // An old certificate is revoked on the list of who issued it.
  const lists = async () => (await text(other, 'crl.pem')).match(/BEGIN X509 CRL/g)?.length
  assert.equal(await lists(), 3)
  assert.equal(await count(later(24)), 3)
  assert.equal(await count(later(24.1)), 2)
  const again = await admin(pki, 'POST', 'pki/rotate', { body: Buffer.from('{"root":true}') }, later(25))
  assert.deepEqual([again.roots.length, again.intermediates.length], [2, 2])
  const keys = await store.list('pki/crl/')
  assert.equal(keys.length, 2, 'the list of what is gone is gone too')
  const answer = await made(other, { profile: 'guest' }, guest('bob'), later(25))
  const { root } = await checkChain(other, answer, later(25))
  assert.notDeepEqual(root.raw, before.root.raw)
  // Whoever knows the old root alone is led to the new one.
  const [, cross] = parseCertificates(answer.chain)
  assert.ok(cross?.verify(before.root.publicKey) && cross.checkIssued(before.root))
  assert.ok(cross?.publicKey.equals(root.publicKey))
  assert.equal(await count(later(25 + 7 * 24)), 2)
  for (const body of ['{"root":1}', '{"roots":true}', '[]', '1']) {
    const asked = { body: Buffer.from(body) }
    await assert.rejects(admin(pki, 'POST', 'pki/rotate', asked), { code: 'PKI_REQUEST_INVALID' })
  }
})

test('an intermediate that is distrusted takes with it what it issued', async () => {
  const pki = open()
  const old = await made(pki, { profile: 'guest' })
  const { intermediates } = await pki.authorities(start)
  const body = Buffer.from('{"distrust":true}')
  assert.equal((await admin(pki, 'POST', 'pki/rotate', { body })).intermediates.length, 1)
  assert.equal(await pki.certificateCaller(old.x509.raw, start), undefined)
  assert.notEqual((await made(pki, { profile: 'guest' })).certificate, old.certificate)
  const [root] = (await pki.authorities(start)).roots
  const list = await pki.plugin.handle(request('GET', `crl/${root!.id}`), start, signal)
  const serial = Buffer.from(intermediates[0].authority.certificate.serial, 'hex')
  assert.ok(Buffer.from(list.body).includes(serial))
})

test('authorities follow one another by themselves, and there are never too many', async () => {
  const store = new MemorySecretStore()
  const pki = open(store)
  const ids = async (at: Date) => {
    const { roots, intermediates } = await pki.authorities(at)
    return [roots, intermediates].map((list) => list.map(({ id }) => id))
  }
  const day = 24
  const [roots, first] = await ids(start)
  assert.deepEqual(await ids(later(243 * day)), [roots, first])
  const one = open(store, {}, { limits: { ...pkiLimits, authorities: 1 } })
  const late = await one.authorities(later(244 * day))
  assert.deepEqual(
    late.intermediates.map(({ id }) => id),
    first,
    'where there is no room it goes on',
  )
  const [, second] = await ids(later(244 * day))
  assert.deepEqual([second!.length, second![1]], [2, first![0]])
  const [newRoots] = await ids(later(2434 * day))
  assert.deepEqual([newRoots!.length, newRoots![1]], [2, roots![0]])
  // Nobody asked for so long that all had ended.
  const [lastRoots, last] = await ids(later(9000 * day))
  assert.deepEqual([lastRoots!.length, last!.length], [1, 1])
  const few = open(store, {}, { limits: { ...pkiLimits, authorities: 3 } })
  for (const count of [2, 3]) {
    assert.equal((await admin(few, 'POST', 'pki/rotate', {}, later(9001 * day))).intermediates.length, count)
  }
  await assert.rejects(admin(few, 'POST', 'pki/rotate', {}, later(9001 * day)), { code: 'PKI_TOO_MANY' })
  assert.equal((await admin(few, 'POST', 'pki/rotate', {}, later(9003 * day))).intermediates.length, 2)
})
