import assert from 'node:assert/strict'
import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { pkiLimits } from '#base/index.ts'
import { parseCertificates } from '#keys/index.ts'
import { certificateRequest } from '../../../test/support/certificate-request.ts'
import { MemorySecretStore as SlowStore } from '../../../test/support/memory-secret-store.ts'
import type { PkiConfiguration } from '../configuration/types.ts'
import { MemorySecretStore } from '../stores/index.ts'
import type { Caller, PluginRequest, SecretStore } from '../types.ts'
import { openPki, type Pki, type PkiOptions } from './index.ts'

const configuration: PkiConfiguration = {
  trustDomain: 'shop.example',
  clientCertificates: true,
  profiles: {
    guest: { use: ['client'], hours: 2 },
    web: {
      use: ['client', 'server'],
      dns: ['*.shop.example', '{identity}.guests.shop.example'],
      ip: ['10.1.0.0/16', '192.0.2.7', '2001:db8::/32'],
    },
    own: { use: ['server'], dns: ['*.own.example'], spiffe: false, exclusiveNames: true },
    shared: { use: ['server'], dns: ['*.own.example'], hours: 1 },
  },
}
const start = new Date('2026-11-21T08:00:00.000Z')
const later = (hours: number) => new Date(start.getTime() + hours * 3_600_000)
const signal = new AbortController().signal
const key = generateKeyPairSync('ed25519').privateKey

const claims = (initData: string) => ({
  submods: {
    cpu0: {
      'ear.status': 'affirming',
      'ear.veraison.annotated-evidence': { init_data: initData, secret: 'x' },
    },
  },
})
const guest = (name = 'ada'): Caller => ({ kind: 'guest', claims: claims(name), teeKey: {} })
const identity: PkiOptions['identity'] = (caller) => {
  if (caller.kind === 'certificate') return caller.identity
  if (caller.kind !== 'guest') return undefined
  const { submods } = caller.claims as ReturnType<typeof claims>
  return submods.cpu0['ear.veraison.annotated-evidence'].init_data || undefined
}

const open = (
  store: SecretStore = new MemorySecretStore(),
  change: Partial<PkiConfiguration> = {},
  options: Partial<PkiOptions> = {},
) => openPki(store, { ...configuration, ...change }, { identity, refreshMs: 0, ...options })

const request = (
  method: PluginRequest['method'],
  path: string,
  query: Record<string, string> = {},
  caller: Caller = guest(),
  body: Uint8Array = new Uint8Array(),
): PluginRequest => ({ plugin: 'pki', method, path: path.split('/'), query, body, caller })

interface Answer {
  certificate: string
  chain: string
  notAfter: string
  key?: string
}

async function ask(pki: Pki, asked: PluginRequest, at = start): Promise<Answer & { x509: X509Certificate }> {
  const { body, noStore, mediaType } = await pki.plugin.handle(asked, at, signal)
  assert.ok(noStore && mediaType === 'application/json')
  const answer = JSON.parse(Buffer.from(body).toString()) as Answer
  return { ...answer, x509: new X509Certificate(answer.certificate) }
}

const made = (pki: Pki, query: Record<string, string>, caller = guest(), at = start) =>
  ask(pki, request('GET', 'certificate', query, caller), at)
const signed = (pki: Pki, query: Record<string, string>, csr: Uint8Array, caller = guest(), at = start) =>
  ask(pki, request('POST', 'certificate', query, caller, csr), at)
const text = async (pki: Pki, path: string, at = start) => {
  const reply = await pki.plugin.handle(request('GET', path, {}, { kind: 'anonymous' }), at, signal)
  assert.equal(reply.noStore, false)
  return Buffer.from(reply.body).toString()
}
const admin = async (
  pki: Pki,
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  extra = {},
  at = start,
) => {
  const principal = { kind: 'user', name: 'ada' } as const
  const asked = {
    method,
    path: path.split('/'),
    query: {},
    body: new Uint8Array(),
    principal,
    api: 'admin' as const,
    ...extra,
  }
  const { body } = await pki.administration.handlers.pki!(asked, at, signal)
  return JSON.parse(Buffer.from(body).toString())
}

/** Each link of the way from a certificate to a root that `ca` has. */
async function checkChain(pki: Pki, { x509, chain }: { x509: X509Certificate; chain: string }, at = start) {
  const trusted = parseCertificates(await text(pki, 'ca', at))
  const [intermediate] = parseCertificates(chain)
  const root = trusted.find(
    (one) =>
      intermediate!.checkIssued(one) && one.verify(one.publicKey) && intermediate!.verify(one.publicKey),
  )
  assert.ok(x509.checkIssued(intermediate!) && x509.verify(intermediate!.publicKey))
  assert.ok(root?.ca && intermediate!.ca && !x509.ca)
  return { root, intermediate: intermediate! }
}

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
    await made(pki, { profile: 'guest' }, guest(), later(1.1)),
    await made(pki, { profile: 'web', dns: 'a.shop.example' }),
  ]
  const certificates = [first, ...others].map(({ certificate }) => certificate)
  assert.equal(new Set(certificates).size, 5)
  assert.equal(new Set(others.map((one) => one.key)).size, 4)
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

test('of many replicas one makes the authorities, and one certificate answers one question', async () => {
  for (let seed = 1; seed <= 5; seed++) {
    let state = seed
    // Steps of all of them in an order of their own.
    const store = new SlowStore(async () => {
      state = (state * 48271) % 2147483647
      for (let n = state % 7; n > 0; n--) await null
    })
    const replicas = Array.from({ length: 6 }, () => open(store))
    const answers = await Promise.all(replicas.map((pki) => made(pki, { profile: 'guest' })))
    assert.equal(new Set(answers.map(({ certificate }) => certificate)).size, 1)
    assert.equal(new Set(await Promise.all(replicas.map((pki) => text(pki, 'ca')))).size, 1)
    const left = [...store.entries.keys()].filter((name) => name.startsWith('pki/issued/'))
    assert.equal(left.length, 1, 'what was not given out is not kept')
    await Promise.all(
      replicas.map(async (pki, n) => {
        await made(pki, { profile: 'web', dns: `a${n}.shop.example` })
        await pki.rotate({}, start)
      }),
    )
    const { intermediates } = await replicas[0]!.authorities(start)
    assert.equal(intermediates.length, 7)
    const lists = await Promise.all(replicas.map((pki) => text(pki, 'crl.pem')))
    assert.equal(new Set(lists).size, 1)
  }
})

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

test('a configuration that cannot be kept is refused', () => {
  const profile = (change: object) => ({ profiles: { a: { use: ['client'] as const, ...change } } })
  const bad: Record<string, Partial<PkiConfiguration>> = {
    'a trust domain in upper case': { trustDomain: 'Shop.example' },
    'a trust domain with a path': { trustDomain: 'shop.example/a' },
    'no trust domain': { trustDomain: '' },
    'an intermediate that is too short': { intermediateDays: 2 },
    'a root that is too short': { rootDays: 1000 },
    'a name of a profile': { profiles: { 'a/b': { use: ['client'] } } },
    'no use': profile({ use: [] }),
    'hours over the longest': profile({ hours: 2, longestHours: 1 }),
    'no hours': profile({ hours: 0 }),
    'hours that are no number': profile({ hours: Number.NaN }),
    'longer than may be': profile({ longestHours: 9000 }),
    'nobody at all': profile({ spiffe: false }),
    'a star over all': profile({ dns: ['*'] }),
    'a star in a label': profile({ dns: ['a*.shop.example'] }),
    'a pattern in upper case': profile({ dns: ['A.shop.example'] }),
    'an address as a name': profile({ dns: ['10.0.0.1'] }),
    'no range': profile({ ip: ['10.0.0.0/33'] }),
    'too many patterns': profile({ dns: Array.from({ length: 257 }, (_, n) => `a${n}.example`) }),
    'too many profiles': {
      profiles: Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`a${n}`, { use: ['client'] }])),
    },
  }
  for (const [what, change] of Object.entries(bad))
    assert.throws(() => open(undefined, change), { code: 'PKI_CONFIGURATION_INVALID' }, what)
  const { profiles: _, ...least } = configuration
  assert.ok(openPki(new MemorySecretStore(), least, { identity }))
})

test('the SPIFFE bundle has one key for each root', async () => {
  const store = new MemorySecretStore()
  const pki = open(store)
  const bundle = async () => JSON.parse(await text(pki, 'bundle'))
  const { keys, spiffe_sequence: sequence } = await bundle()
  assert.equal(keys.length, 1)
  const { x5c, use, kty, crv, x, y, ...others } = keys[0]
  assert.deepEqual([use, kty, crv, x5c.length, others], ['x509-svid', 'EC', 'P-256', 1, {}])
  const root = new X509Certificate(Buffer.from(x5c[0], 'base64'))
  assert.ok(root.verify(root.publicKey))
  assert.deepEqual(root.publicKey.export({ format: 'jwk' }), { kty, crv, x, y })
  assert.equal(root.subjectAltName, 'URI:spiffe://shop.example')
  await pki.rotate({ root: true }, start)
  const next = await bundle()
  assert.equal(next.keys.length, 2)
  assert.ok(next.spiffe_sequence > sequence)
})

test('private keys are in the state alone', async () => {
  const store = new MemorySecretStore()
  const pki = open(store)
  const secrets: KeyObject[] = []
  await made(pki, { profile: 'guest' })
  await admin(pki, 'POST', 'pki/rotate', { body: Buffer.from('{"root":true}') })
  const { roots, intermediates } = await pki.authorities(start)
  for (const { key } of [...roots, ...intermediates]) secrets.push(key)
  const told = JSON.stringify([
    await admin(pki, 'GET', 'pki/authorities'),
    await admin(pki, 'GET', 'pki/issued'),
    await admin(pki, 'GET', 'pki/holders/ada'),
    await text(pki, 'ca'),
    await text(pki, 'bundle'),
  ])
  for (const secret of secrets) {
    const { d } = secret.export({ format: 'jwk' })
    const pkcs8 = secret.export({ format: 'der', type: 'pkcs8' }).toString('base64')
    assert.ok(!told.includes(d!) && !told.includes(pkcs8.slice(40, 80)))
  }
})
