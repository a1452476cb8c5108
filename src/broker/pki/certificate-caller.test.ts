import assert from 'node:assert/strict'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { derReader, derWriter, parseCertificates } from '#keys/index.ts'
import { certificateRequest } from '../../../test/support/certificate-request.ts'
import { admin, guest, later, made, open, signed, start, text } from '../../../test/support/pki-scene.ts'
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

test('a certificate with another signature by the same key is none that was given out', async () => {
  const pki = open()
  const { x509 } = await made(pki, { profile: 'guest' })
  const [body, algorithm, signature] = derReader.readSequence(derReader.readDer(x509.raw))
  // ECDSA takes n - s for s: whoever sees a certificate can write it in another way.
  const numbers = derReader.readSequence(derReader.readDer(derReader.readBitString(signature)))
  const [r, s] = numbers.map(({ content }) => BigInt(`0x${Buffer.from(content).toString('hex')}`))
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const number = (value: bigint) =>
    derWriter.integer(Buffer.from(value.toString(16).padStart(64, '0'), 'hex'))
  const other = derWriter.sequence(number(r!), number(order - s!))
  const der = derWriter.sequence(body!.whole, algorithm!.whole, derWriter.bitString(other))
  const { intermediates } = await pki.authorities(start)
  assert.ok(new X509Certificate(der).verify(intermediates[0].authority.publicKey.key))
  assert.equal(await pki.certificateCaller(der, start), undefined)
  assert.ok(await pki.certificateCaller(x509.raw, start))
})

test('what is remembered as good is so no longer than it counts', async () => {
  const store = new MemorySecretStore()
  const pki = open(store, {}, { refreshMs: 5000 })
  const [ada, bob] = [
    await made(pki, { profile: 'guest' }),
    await made(pki, { profile: 'guest' }, guest('bob')),
  ]
  for (const { x509 } of [ada, bob]) assert.ok(await pki.certificateCaller(x509.raw, start))
  // Nothing is read from the store for it, until a while has passed.
  const [first = ''] = await store.list('pki/issued/')
  await store.compareAndSet(first, (await store.read(first))?.revision, null)
  for (const { x509 } of [ada, bob]) assert.ok(await pki.certificateCaller(x509.raw, start))
  assert.equal(await pki.certificateCaller(ada.x509.raw, later(2.1)), undefined)
  await pki.rotate({ distrust: true }, start)
  assert.equal(await pki.certificateCaller(bob.x509.raw, start), undefined)
})
