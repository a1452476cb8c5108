import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pkiLimits } from '#base/index.ts'
import {
  admin,
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
import type { Pki } from './index.ts'

test('a revoked certificate is on the list of its issuer until it has ended, and lists are numbered', async () => {
  const store = new MemorySecretStore()
  const [pki, other] = [open(store), open(store)]
  const { x509 } = await made(pki, { profile: 'guest' })
  const serial = x509.serialNumber.toLowerCase()
  const list = async (from: Pki, at = start) => {
    const { body, mediaType } = await from.plugin.handle(request('GET', 'crl'), at, signal)
    assert.equal(mediaType, 'application/pkix-crl')
    return Buffer.from(body)
  }
  const numberOf = (der: Buffer) => {
    const id = Buffer.from('0603551d140403020100', 'hex').subarray(0, 9)
    const at = der.indexOf(id)
    assert.ok(at > 0)
    return der[at + id.length]
  }
  const empty = await list(pki)
  assert.deepEqual(await list(other), empty)
  assert.deepEqual(await list(other, later(11.9)), empty)
  const next = await list(other, later(12))
  assert.notDeepEqual(next, empty)
  const before = (await made(pki, { profile: 'guest' })).certificate
  assert.equal(before, x509.toString())
  await admin(pki, 'DELETE', `pki/issued/${serial}`, { query: { reason: 'key-compromise' } })
  const revoked = await list(other, later(12))
  assert.ok(revoked.includes(Buffer.from(serial, 'hex')) && !next.includes(Buffer.from(serial, 'hex')))
  assert.deepEqual(await list(pki, later(12)), revoked)
  assert.deepEqual([empty, next, revoked].map(numberOf), [1, 2, 3])
  // Another one may follow: only this one was revoked. It stays on the list until one was made after its end.
  assert.notEqual((await made(pki, { profile: 'guest' })).certificate, before)
  assert.ok((await list(pki, later(25))).includes(Buffer.from(serial, 'hex')))
  assert.ok(!(await list(pki, later(40))).includes(Buffer.from(serial, 'hex')))
  const all = await text(pki, 'crl.pem', later(40))
  assert.equal(all.match(/BEGIN X509 CRL/g)?.length, 2)
  const { intermediates } = await pki.authorities(later(40))
  const byId = await pki.plugin.handle(request('GET', `crl/${intermediates[0].id}`), later(40), signal)
  assert.deepEqual(Buffer.from(byId.body), await list(pki, later(40)))
  await assert.rejects(list(open(store, {}, { limits: { ...pkiLimits, attempts: 0 } }), later(90)), {
    code: 'PKI_BUSY',
  })
  await assert.rejects(admin(pki, 'DELETE', `pki/issued/${'0'.repeat(32)}`), { code: 'PKI_NOT_FOUND' })
  await assert.rejects(admin(pki, 'DELETE', 'pki/issued/*'), { code: 'PKI_NOT_FOUND' })
})

test('an identity that is revoked loses all that it has, and gets nothing until it is reinstated', async () => {
  const pki = open()
  const first = await made(pki, { profile: 'guest' })
  await made(pki, { profile: 'web', dns: 'a.shop.example' })
  const theirs = await made(pki, { profile: 'guest' }, guest('bob'))
  const { revoked } = await admin(pki, 'PUT', 'pki/holders/ada')
  assert.equal(revoked.length, 2)
  assert.equal(await pki.certificateCaller(first.x509.raw, start), undefined)
  assert.ok(await pki.certificateCaller(theirs.x509.raw, start))
  await assert.rejects(made(pki, { profile: 'guest' }), { code: 'PKI_CALLER_REFUSED' })
  assert.deepEqual(await admin(pki, 'GET', 'pki/holders/ada'), { identity: 'ada', barred: true, issued: [] })
  await admin(pki, 'DELETE', 'pki/holders/ada')
  await assert.rejects(admin(pki, 'DELETE', 'pki/holders/ada'), { code: 'PKI_NOT_FOUND' })
  const again = await made(pki, { profile: 'guest' })
  assert.notEqual(again.certificate, first.certificate)
  const { issued } = await admin(pki, 'GET', 'pki/issued')
  assert.equal(issued.length, 4)
  assert.equal(issued.filter((one: { revoked: boolean }) => one.revoked).length, 2)
  assert.ok(!JSON.stringify(issued).includes('PRIVATE'))
  const { issued: page, next } = await admin(pki, 'GET', 'pki/issued', { query: { limit: '3' } })
  const rest = await admin(pki, 'GET', 'pki/issued', { query: { after: next } })
  assert.deepEqual([...page, ...rest.issued], issued)
  for (const query of [{ limit: '0' }, { limit: '1001' }, { after: 'x' }]) {
    await assert.rejects(admin(pki, 'GET', 'pki/issued', { query }), { code: 'PKI_REQUEST_INVALID' })
  }
})
