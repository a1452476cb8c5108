import assert from 'node:assert/strict'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Agent } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { parseErrorBody } from '#attestation/index.ts'
import { adminToken } from '#broker/index.ts'
import { type CertificateTerms, createAuthority, publicKeyOf, publicKeyPem } from '#keys/index.ts'
import { testCertificates } from '../../../test/support/test-certificates.ts'
import { certificatePrincipal } from './admins/certificate-identity.ts'
import { send, startTest } from './broker.suite.ts'

const { ca, server, serverKey, client, clientKey } = testCertificates
const tls = { certificate: 'cert.pem', key: 'key.pem' }

async function folder(files: Readonly<Record<string, string>> = {}) {
  const path = await mkdtemp(join(tmpdir(), 'sealift-broker-tls-'))
  const write = (more: Readonly<Record<string, string>>) =>
    Promise.all(Object.entries(more).map(([name, text]) => writeFile(join(path, name), text)))
  await write({ 'cert.pem': server, 'key.pem': serverKey, 'ca.pem': ca, ...files })
  return { path, write, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

const week = {
  notBefore: new Date(Date.now() - 3_600_000),
  notAfter: new Date(Date.now() + 7 * 86_400_000),
}

/** An authority of clients, and what it issues: certificate and key in PEM. */
async function clientAuthority() {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const authority = await createAuthority({ ...week, subject: { commonName: 'clients' }, key })
  return {
    pem: authority.certificate.pem,
    async issue(terms: Partial<CertificateTerms>) {
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const { pem } = await authority.issue({
        ...{ ...week, publicKey: publicKeyOf(publicKey), usages: ['client'] },
        ...terms,
      })
      return { cert: pem, key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })) }
    },
  }
}

test("a guest's certificate is given to the broker, whoever issued it, where that is switched on", async () => {
  await using at = await folder()
  const options = { directory: at.path }
  const pki = { trustDomain: 'example.org', clientCertificates: true }
  await using on = await startTest({ tls, pki }, {}, options)
  const auth = `${on.guestUrl}/kbs/v0/auth`
  assert.match(on.guestUrl, /^https:/)
  const strange = await (await clientAuthority()).issue({ subject: { commonName: 'pod' } })
  for (const own of [{ cert: client, key: clientKey }, strange]) {
    assert.equal((await send(auth, { ca, ...own })).status, 200)
    assert.deepEqual(on.face.guests.at(-1)?.certificate, new X509Certificate(own.cert).raw)
  }
  assert.equal((await send(auth, { ca })).status, 200)
  assert.equal(on.face.guests.at(-1)?.certificate, undefined)

  await using off = await startTest({ tls }, {}, options)
  await send(`${off.guestUrl}/kbs/v0/auth`, { ca, cert: client, key: clientKey })
  assert.equal(off.face.guests[0]?.certificate, undefined)
})

test('a certificate that was shown without its key never gets as far as a request', async () => {
  await using at = await folder()
  const pki = { trustDomain: 'example.org', clientCertificates: true }
  await using on = await startTest({ tls, pki }, {}, { directory: at.path })
  // OpenSSL's own client refuses to use another's key, so the pair does not even come together.
  await assert.rejects(send(`${on.guestUrl}/kbs/v0/auth`, { ca, cert: client, key: serverKey }))
  assert.equal(on.face.guests.length, 0)
})

test('a resumed session still has the certificate that was proved in it', async () => {
  await using at = await folder()
  const pki = { trustDomain: 'example.org', clientCertificates: true }
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    await using on = await startTest({ tls, pki }, {}, { directory: at.path })
    const { port } = new URL(on.guestUrl)
    const ask = (options: ConnectionOptions) =>
      new Promise<{ reused: boolean; session: Buffer | undefined }>((resolve, reject) => {
        let session: Buffer | undefined
        const socket: TLSSocket = connect(
          { host: '127.0.0.1', port: Number(port), ca, maxVersion, ...options },
          () => socket.write('GET /kbs/v0/auth HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
        )
        socket.on('session', (ticket) => {
          session = ticket
        })
        const reused = () => socket.isSessionReused()
        let wasReused = false
        socket.on('data', () => {
          wasReused = reused()
        })
        socket.on('error', reject).on('close', () => resolve({ reused: wasReused, session }))
      })
    const { session } = await ask({ cert: client, key: clientKey })
    assert.ok(session)
    const again = await ask({ session })
    assert.equal(again.reused, true, maxVersion)
    const [first, second] = on.face.guests
    assert.deepEqual(second?.certificate, first?.certificate)
    assert.ok(first?.certificate)
  }
})

test('an admin is known by a certificate of the authority for admins', async () => {
  const authority = await clientAuthority()
  await using at = await folder({ 'admins.pem': authority.pem })
  const admin = { listen: '127.0.0.1:0', tls, clientCa: 'admins.pem' }
  await using on = await startTest({ admin }, {}, { directory: at.path })
  const url = `${on.adminUrl}/admin/v1/leases/a?b=c`
  const ada = await authority.issue({ subject: { commonName: 'Ada Lovelace' } })
  const pod = await authority.issue({ uris: ['spiffe://example.org/ns/ops'], subject: { commonName: 'Ada' } })
  for (const own of [ada, pod]) assert.equal((await send(url, { ca, ...own })).status, 200)
  assert.deepEqual(
    on.face.admins.map(({ principal, api, path, query }) => ({ principal, api, path, query: { ...query } })),
    ['Ada Lovelace', 'spiffe://example.org/ns/ops'].map((name) => ({
      principal: { kind: 'certificate', name },
      api: 'admin',
      path: ['leases', 'a'],
      query: { b: 'c' },
    })),
  )
  const ended = { notBefore: new Date(Date.now() - 3_000_000), notAfter: new Date(Date.now() - 1_000_000) }
  const not = [
    {},
    { cert: client, key: clientKey },
    await (await clientAuthority()).issue({ subject: { commonName: 'Ada Lovelace' } }),
    await authority.issue({ dnsNames: ['ada.example'] }),
    await authority.issue({ subject: { commonName: 'ada' }, dnsNames: ['ada.example'], usages: ['server'] }),
    await authority.issue({ subject: { commonName: 'ada' }, ...ended }),
  ]
  for (const own of not) {
    const reply = await send(url, { ca, ...own })
    assert.deepEqual([reply.status, parseErrorBody(Buffer.from(reply.text)).type], [401, 'AdminAuthAccess'])
    assert.equal(reply.headers['www-authenticate'], 'Bearer')
  }
  // A token that is there has to be good, whatever certificate stands beside it.
  const headers = { authorization: 'Bearer a.b.c' }
  assert.equal((await send(url, { ca, ...ada, headers })).status, 401)
  // A browser shows the certificate for whatever page asks.
  for (const page of [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { 'sec-fetch-site': 'same-site' },
  ])
    assert.equal((await send(url, { ca, ...ada, headers: page })).status, 401)
  assert.equal(on.face.admins.length, 2)
})

test('names of certificates that could be taken for others are nobody', async () => {
  const authority = await clientAuthority()
  const nameOf = async (terms: Partial<CertificateTerms>) =>
    certificatePrincipal(new X509Certificate((await authority.issue(terms)).cert))?.name
  const subject = (commonName: string) => ({ subject: { commonName } })
  assert.equal(await nameOf(subject('ada')), 'ada')
  assert.equal(await nameOf({ uris: ['spiffe://example.org/a/b'] }), 'spiffe://example.org/a/b')
  for (const terms of [
    subject('spiffe://example.org/a'),
    subject('a+CN=b'),
    subject('a, URI:spiffe://example.org/a'),
    subject('a\\b'),
    subject(' ada'),
    { subject: { organization: 'CN=ada' }, dnsNames: ['a.example'] },
    { uris: ['spiffe://example.org/a', 'spiffe://example.org/b'] },
    { ...subject('ada'), uris: ['https://example.org/a'] },
    { ...subject('ada'), uris: ['spiffe://example.org/a', 'https://example.org/'] },
    { ...subject('ada'), uris: ['spiffe://example.org/a%2Fb'] },
    { ...subject('ada'), uris: ['spiffe://example.org/a//b'] },
    { ...subject('ada'), uris: ['spiffe://example.org:8443/a'] },
  ]) {
    assert.equal(await nameOf(terms), undefined, JSON.stringify(terms))
  }
})

test('a key file, a token made with its other half, and an admin call of each kind', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  await using at = await folder({ 'ada.pub': publicKeyPem(publicKeyOf(publicKey)) })
  const admin = {
    listen: '127.0.0.1:0',
    url: 'https://broker.example:8443/',
    keys: [{ principal: 'user:ada', publicKey: 'ada.pub' }],
  }
  await using on = await startTest({ admin }, { loginFailureBurst: 4 }, { directory: at.path })
  const ask = (audience: string, path = '/kbs/v0/resource-policy') => {
    const authorization = `Bearer ${adminToken({ privateKey, audience })}`
    return send(on.adminUrl + path, { method: 'POST', headers: { authorization } }, '{}')
  }
  const local = on.adminUrl.replace('127.0.0.1', 'localhost')
  for (const audience of [on.adminUrl, local, 'https://broker.example', 'https://broker.example:8443']) {
    assert.equal((await ask(audience)).status, 200, audience)
  }
  assert.equal((await ask(on.adminUrl, '/admin/v1/token-keys/rotate')).status, 200)
  assert.deepEqual(
    on.face.admins.map(({ principal, api, path, body }) => [
      principal.name,
      api,
      path.join('/'),
      body.length,
    ]),
    [
      ...[1, 2, 3, 4].map(() => ['ada', 'kbs', 'resource-policy', 2]),
      ['ada', 'admin', 'token-keys/rotate', 2],
    ],
  )
  // Nothing is said of what is there to whom it does not know.
  const replies = await Promise.all(
    ['/kbs/v0/resource-policy', '/nothing', '/kbs/v0/a//b'].map((path) => send(on.adminUrl + path)),
  )
  assert.equal(new Set(replies.map(({ status, text }) => `${status} ${text}`)).size, 1)
  assert.equal(replies[0]?.status, 401)
  assert.match(on.requests().at(-1)?.message ?? '', /neither a bearer token nor a certificate/)
  assert.equal((await ask('https://other.example')).status, 401)
  // The bucket of failures is empty now, and not even a good proof is looked at.
  assert.equal((await ask(on.adminUrl)).status, 429)
  assert.equal(on.face.admins.length, 5)
})

test('many admins at once are no failures', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  await using at = await folder({ 'ada.pub': publicKeyPem(publicKeyOf(publicKey)) })
  const admin = { listen: '127.0.0.1:0', keys: [{ principal: 'user:ada', publicKey: 'ada.pub' }] }
  await using on = await startTest({ admin }, { loginFailureBurst: 2 }, { directory: at.path })
  const headers = { authorization: `Bearer ${adminToken({ privateKey, audience: on.adminUrl })}` }
  for (let time = 0; time < 10; time++) {
    assert.equal((await send(`${on.adminUrl}/admin/v1/leases`, { headers })).status, 200)
  }
})

test('certificates and keys are read again: when told to, and by themselves; what is bad changes nothing', async () => {
  const first = await clientAuthority()
  const second = await clientAuthority()
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const other = generateKeyPairSync('ed25519')
  const pemOf = (key: typeof publicKey) => publicKeyPem(publicKeyOf(key))
  await using at = await folder({ 'admins.pem': first.pem, 'ada.pub': pemOf(other.publicKey) })
  const keys = [{ principal: 'user:ada', publicKey: 'ada.pub' }]
  const admin = { listen: '127.0.0.1:0', tls, clientCa: 'admins.pem', keys }
  await using on = await startTest({ tls, admin }, { filesMs: 3_600_000 }, { directory: at.path })
  const url = `${on.adminUrl}/admin/v1/leases`
  const ada = await first.issue({ subject: { commonName: 'ada' } })
  const bob = await second.issue({ subject: { commonName: 'bob' } })
  const headers = { authorization: `Bearer ${adminToken({ privateKey, audience: on.adminUrl })}` }
  const statuses = async () => [
    (await send(url, { ca, ...ada })).status,
    (await send(url, { ca, ...bob })).status,
    (await send(url, { ca, headers })).status,
  ]
  assert.deepEqual(await statuses(), [200, 401, 401])
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  assert.equal((await send(url, { ca, ...ada, agent })).status, 200)

  await at.write({ 'admins.pem': 'nothing', 'ada.pub': 'nothing', 'cert.pem': 'nothing' })
  await on.server.reload()
  assert.deepEqual(await statuses(), [200, 401, 401])
  const reloads = () => on.events.filter((event) => event.event === 'reloaded')
  assert.deepEqual(
    reloads().map(({ level }) => level),
    ['error', 'error', 'error'],
  )

  // A serving certificate of another authority, another authority of clients, another key of an admin.
  const serving = await second.issue({
    dnsNames: ['localhost'],
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
  })
  await at.write({
    'cert.pem': serving.cert,
    'key.pem': serving.key,
    'admins.pem': second.pem,
    'ada.pub': pemOf(publicKey),
  })
  await on.server.reload()
  await assert.rejects(send(url, { ca, ...ada }))
  const now = { ca: second.pem }
  assert.equal((await send(`${on.guestUrl}/healthz`, now)).status, 200)
  assert.equal((await send(url, { ...now, ...ada })).status, 401)
  assert.equal((await send(url, { ...now, ...bob })).status, 200)
  assert.equal((await send(url, { ...now, headers })).status, 200)
  // Whoever was connected before has to prove it again.
  assert.equal((await send(url, { ...now, ...ada, agent })).status, 401)
  agent.destroy()
  assert.deepEqual(
    reloads()
      .slice(3)
      .map(({ level }) => level),
    ['info', 'info', 'info'],
  )
})

test('files are looked at again and again', async () => {
  await using at = await folder()
  await using on = await startTest({ tls }, { filesMs: 20 }, { directory: at.path })
  await at.write({ 'cert.pem': `${server}\n` })
  while (!on.events.some(({ event }) => event === 'reloaded')) await wait(10)
  assert.equal((await send(`${on.guestUrl}/healthz`, { ca })).status, 200)
})

test('files that cannot be used stop the start', async () => {
  await using at = await folder({ 'bad.pem': 'nothing' })
  const start = (configuration: Parameters<typeof startTest>[0]) =>
    startTest(configuration, {}, { directory: at.path })
  const listen = '127.0.0.1:0'
  await assert.rejects(start({ tls: { ...tls, key: 'bad.pem' } }), { code: 'TLS_FILES_INVALID' })
  await assert.rejects(start({ tls: { ...tls, key: 'absent.pem' } }), { code: 'FILE_SYSTEM' })
  await assert.rejects(start({ admin: { listen, tls, clientCa: 'bad.pem' } }), {
    code: 'BROKER_ADMIN_KEYS_INVALID',
  })
  const keys = [{ principal: 'user:ada', publicKey: 'bad.pem' }]
  await assert.rejects(start({ admin: { listen, keys } }), { code: 'BROKER_ADMIN_KEYS_INVALID' })
})
