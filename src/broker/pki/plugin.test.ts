import assert from 'node:assert/strict'
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { certificateRequest } from '../../../test/support/certificate-request.ts'
import {
  ask,
  checkChain,
  guest,
  later,
  made,
  open,
  request,
  signal,
  signed,
  start,
} from '../../../test/support/pki-scene.ts'
import type { Caller, PluginRequest } from '../types.ts'

const key = generateKeyPairSync('ed25519').privateKey

test('a guest gets a certificate with its SPIFFE ID, for its key or for one that is made here', async () => {
  for (const keys of ['ecdsa-p256', 'ecdsa-p384', 'ed25519'] as const) {
    const pki = open(undefined, { keys })
    const theirs = await signed(pki, { profile: 'guest' }, certificateRequest(key))
    assert.equal(theirs.key, undefined)
    assert.ok(theirs.x509.checkPrivateKey(key))
    const ours = await made(pki, { profile: 'guest', hours: '1' })
    assert.ok(ours.x509.checkPrivateKey(createPrivateKey(ours.key!)))
    for (const answer of [theirs, ours]) {
      await checkChain(pki, answer)
      assert.equal(answer.x509.subjectAltName, 'URI:spiffe://shop.example/guest/ada')
      assert.deepEqual(answer.x509.keyUsage, ['1.3.6.1.5.5.7.3.2'])
      assert.equal(answer.x509.subject, undefined)
    }
    assert.deepEqual(theirs.x509.validToDate, later(2))
    assert.deepEqual([ours.x509.validToDate, ours.notAfter], [later(1), later(1).toISOString()])
    assert.equal(pki.count, 2)
  }
})

test('RSA authorities', async () => {
  const pki = open(undefined, { keys: 'rsa-3072' })
  const answer = await signed(pki, { profile: 'guest' }, certificateRequest(key))
  const { root } = await checkChain(pki, answer)
  assert.equal(root.publicKey.asymmetricKeyDetails?.modulusLength, 3072)
})

test('the same question has the same answer until half of its time is over', async () => {
  const pki = open()
  const first = await made(pki, { profile: 'guest' })
  assert.deepEqual((await made(pki, { profile: 'guest' }, guest(), later(0.9))).key, first.key)
  const others = [
    await made(pki, { profile: 'guest', hours: '1' }),
    await made(pki, { profile: 'guest' }, guest('bob')),
    // Started with the same, but on a worse platform: its certificate must not say the better.
    await made(pki, { profile: 'guest' }, guest('ada', 'warning')),
    await made(pki, { profile: 'guest' }, guest(), later(1.1)),
    await made(pki, { profile: 'web', dns: 'a.shop.example' }),
  ]
  const certificates = [first, ...others].map(({ certificate }) => certificate)
  assert.equal(new Set(certificates).size, 6)
  assert.equal(new Set(others.map((one) => one.key)).size, 5)
  const csr = certificateRequest(key)
  const theirs = await signed(pki, { profile: 'guest' }, csr)
  assert.equal((await signed(pki, { profile: 'guest' }, csr.subarray())).certificate, theirs.certificate)
})

test('names come from query and request alike, in one spelling, and a policy sees all of them', async () => {
  const pki = open()
  const csr = certificateRequest(key, {
    commonName: 'evil.example',
    dns: ['B.shop.example', 'a.shop.example'],
    ip: ['10.1.2.3'],
    uris: ['spiffe://shop.example/guest/ada'],
  })
  const query = { profile: 'web', dns: 'a.shop.example, {identity}.guests.shop.example', ip: '2001:DB8:0::1' }
  const asked = request('POST', 'certificate', query, guest(), csr)
  const { x509 } = await ask(pki, asked)
  const names = ['a.shop.example', 'ada.guests.shop.example', 'b.shop.example']
  assert.equal(
    x509.subjectAltName,
    `${names.map((name) => `DNS:${name}`).join(', ')}, IP Address:10.1.2.3, IP Address:2001:DB8:0:0:0:0:0:1, URI:spiffe://shop.example/guest/ada`,
  )
  assert.equal(x509.checkHost('evil.example'), undefined)
  const { 'key-id': id, ...told } = pki.plugin.policyData!(asked).pki as { 'key-id': string }
  assert.match(id, /^[0-9a-f]{64}$/)
  assert.deepEqual(told, {
    profile: 'web',
    identity: 'ada',
    spiffe: 'spiffe://shop.example/guest/ada',
    dns: names,
    ip: ['10.1.2.3', '2001:db8::1'],
    seconds: 3600,
    usages: ['client', 'server'],
    key: 'ed25519',
  })
  assert.deepEqual(pki.plugin.policyData!(asked).query, {
    profile: 'web',
    dns: names.join(','),
    ip: '10.1.2.3,2001:db8::1',
  })
})

test('what a profile does not permit, or nobody attested for, is not issued', async () => {
  const pki = open()
  const web = { profile: 'web', dns: 'a.shop.example' }
  const csr = certificateRequest(key)
  const changed = Uint8Array.from(csr)
  changed[changed.length - 1]! ^= 1
  const asking = (asked: Parameters<typeof certificateRequest>[1]) =>
    request('POST', 'certificate', web, guest(), certificateRequest(key, asked))
  const get = (query: Record<string, string>, caller?: Caller) => request('GET', 'certificate', query, caller)
  const certificate: Caller = { kind: 'certificate', identity: 'ada', claims: {} }
  const principal = { kind: 'user', name: 'ada' } as const
  const cases: Record<string, readonly [string, PluginRequest]> = {
    'another domain': ['PKI_NAME_REFUSED', get({ ...web, dns: 'a.other.example' })],
    'two labels for a star': ['PKI_NAME_REFUSED', get({ ...web, dns: 'a.b.shop.example' })],
    "another's name": ['PKI_NAME_REFUSED', get({ ...web, dns: 'bob.guests.shop.example' })],
    'an IDN that a star would permit': [
      'PKI_NAME_REFUSED',
      get({ ...web, dns: 'xn--bcher-kva.shop.example' }),
    ],
    'a wildcard': ['PKI_REQUEST_INVALID', get({ ...web, dns: '*.shop.example' })],
    'no ASCII': ['PKI_REQUEST_INVALID', get({ ...web, dns: 'ß.shop.example' })],
    'an address as a name': ['PKI_REQUEST_INVALID', get({ ...web, dns: '10.1.2.3' })],
    'another address': ['PKI_NAME_REFUSED', get({ ...web, ip: '10.2.0.1' })],
    'an address in disguise': ['PKI_REQUEST_INVALID', get({ ...web, ip: '::ffff:10.1.0.1' })],
    'a name in the request': ['PKI_NAME_REFUSED', asking({ dns: ['a.other.example'] })],
    'an address in the request': ['PKI_NAME_REFUSED', asking({ ip: ['10.2.0.1'] })],
    "another's SPIFFE ID": ['PKI_NAME_REFUSED', asking({ uris: ['spiffe://shop.example/guest/bob'] })],
    'an address of mail': ['PKI_NAME_REFUSED', asking({ emails: ['ada@shop.example'] })],
    'a changed signature': [
      'CERTIFICATE_REQUEST_INVALID',
      request('POST', 'certificate', web, guest(), changed),
    ],
    'no request': ['CERTIFICATE_REQUEST_INVALID', request('POST', 'certificate', web)],
    'no profile': ['PKI_REQUEST_INVALID', get({})],
    'an inherited profile': ['PKI_REQUEST_INVALID', get({ profile: 'constructor' })],
    'another parameter': ['PKI_REQUEST_INVALID', get({ ...web, days: '1' })],
    'too long': ['PKI_REQUEST_INVALID', get({ ...web, hours: '24.001' })],
    'too short': ['PKI_REQUEST_INVALID', get({ ...web, hours: '0.016' })],
    'no number': ['PKI_REQUEST_INVALID', get({ ...web, hours: '1e1' })],
    'a server without a name': ['PKI_REQUEST_INVALID', get({ profile: 'web' })],
    'too many names': [
      'PKI_REQUEST_INVALID',
      get({ ...web, dns: Array.from({ length: 65 }, (_, n) => `a${n}.shop.example`).join(',') }),
    ],
    nobody: ['PKI_CALLER_REFUSED', get(web, { kind: 'anonymous' })],
    'a guest without an identity': ['PKI_CALLER_REFUSED', get(web, guest(''))],
    'a long identity': ['PKI_CALLER_REFUSED', get(web, guest('a'.repeat(513)))],
    'a certificate alone': ['PKI_CALLER_REFUSED', get(web, certificate)],
    'an admin': ['PKI_CALLER_REFUSED', get(web, { kind: 'admin', principal })],
    'another method': ['PKI_NOT_FOUND', request('PUT', 'certificate', web)],
    'another path': ['PKI_NOT_FOUND', request('GET', 'certificate/a', web)],
    'no path': ['PKI_NOT_FOUND', { ...request('GET', 'x'), path: [] }],
  }
  for (const [what, [code, asked]] of Object.entries(cases)) {
    await assert.rejects(pki.plugin.handle(asked, start, signal), { code }, what)
    if (asked.method === 'PUT' || asked.path.length !== 1) continue
    assert.throws(() => pki.plugin.policyData!(asked), { code }, what)
  }
  const most = Array.from({ length: 64 }, (_, n) => `a${n}.shop.example`).join(',')
  assert.equal((await made(pki, { ...web, dns: most })).x509.subjectAltName?.split(', ').length, 65)
  assert.equal((await made(pki, { ...web, hours: '24' })).notAfter, later(24).toISOString())
  assert.equal((await made(pki, { ...web, hours: '0.017' })).notAfter, '2026-11-21T08:01:01.000Z')
})

test('who may ask for what', () => {
  const { plugin } = open()
  const access = (method: PluginRequest['method'], path: string) => plugin.access(request(method, path))
  assert.equal(access('GET', 'certificate'), 'attested')
  assert.equal(access('POST', 'certificate'), 'attested')
  for (const path of ['ca', 'crl', 'crl/0123', 'crl.pem', 'bundle']) {
    assert.equal(access('GET', path), 'public')
    assert.equal(access('POST', path), 'admin')
    assert.equal(plugin.encrypted(request('GET', path)), false)
  }
  assert.equal(access('GET', 'ca/x'), 'admin')
  assert.equal(plugin.encrypted(request('GET', 'certificate')), true)
  assert.equal(plugin.encrypted(request('POST', 'certificate')), false)
})
