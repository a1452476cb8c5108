import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { parseCertificates } from '#keys/index.ts'
import { certificateRequest } from '../../../test/support/certificate-request.ts'
import { admin, later, made, open, signed, start, text } from '../../../test/support/pki-scene.ts'
import { MemorySecretStore } from '../stores/index.ts'

const key = generateKeyPairSync('ed25519').privateKey

test('a certificate is an identity, as long as it counts', async () => {
  const store = new MemorySecretStore()
  const [pki, other] = [open(store), open(store)]
  const { x509 } = await signed(pki, { profile: 'web', dns: 'a.shop.example' }, certificateRequest(key))
  const serial = x509.serialNumber.toLowerCase()
  const caller = await other.certificateCaller(x509.raw, start)
  assert.deepEqual(caller, {
    kind: 'certificate',
    identity: 'ada',
    claims: {
      certificate: {
        spiffe: 'spiffe://shop.example/guest/ada',
        profile: 'web',
        serial,
        notBefore: '2026-11-21T07:59:00.000Z',
        notAfter: later(1).toISOString(),
        dns: ['a.shop.example'],
        ip: [],
      },
      attested: { at: start.toISOString(), status: { cpu0: 'affirming' }, init_data: 'ada' },
    },
  })
  const none = async (der: Uint8Array, at = start, from = other) =>
    assert.equal(await from.certificateCaller(der, at), undefined)
  assert.ok(await other.certificateCaller(x509.raw, later(1)))
  await none(x509.raw, new Date(later(1).getTime() + 1))
  await none(x509.raw, later(-0.02))
  await none(x509.raw.subarray(1))
  await none(Buffer.concat([x509.raw, Buffer.of(0)]))
  await none(new Uint8Array(0))
  await none(new Uint8Array(70_000))
  await none(x509.raw, start, open())
  await none(x509.raw, start, open(store, { clientCertificates: false }))
  await none(x509.raw, start, open(store, { trustDomain: 'other.example' }))
  await none((await made(pki, { profile: 'own', dns: 'a.own.example' })).x509.raw)
  await none((await made(pki, { profile: 'shared', dns: 'a.own.example' })).x509.raw)
  for (const { raw } of parseCertificates(await text(pki, 'ca'))) await none(raw)
  assert.deepEqual(await admin(pki, 'DELETE', `pki/issued/${serial}`), { revoked: [serial] })
  await none(x509.raw, start, pki)
  await none(x509.raw)
})
