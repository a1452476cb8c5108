import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import fc from 'fast-check'
import { MemoryRepositories } from '#content/index.ts'
import { digestOf } from '#oci/index.ts'
import { testCertificates } from '../../../test/support/test-certificates.ts'
import { createRegistryServer } from './create-registry-server.ts'
import { parseListenAddress } from './listen-address.ts'
import { get, raw, start, statusOf } from './server.suite.ts'

test('addresses to listen on', async () => {
  assert.deepEqual(parseListenAddress('127.0.0.1:0'), { host: '127.0.0.1', port: 0 })
  assert.deepEqual(parseListenAddress('[::1]:65535'), { host: '::1', port: 65_535 })
  assert.deepEqual(parseListenAddress(':5000'), { port: 5000 })
  for (const text of [
    '',
    '5000',
    'host',
    'host:',
    'host:65536',
    '::1:5000',
    'a b:1',
    'http://x:1',
    '[x]:1',
  ]) {
    assert.throws(() => parseListenAddress(text), { code: 'LISTEN_ADDRESS_INVALID' }, text)
  }
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        parseListenAddress(text)
      } catch (error) {
        assert.equal((error as { code: string }).code, 'LISTEN_ADDRESS_INVALID')
      }
    }),
  )
  await using started = await start()
  assert.match(started.url, /^http:\/\/127\.0\.0\.1:\d+$/)
  await using second = createRegistryServer({ repositories: new MemoryRepositories() })
  await assert.rejects(second.listen(started.registry), { code: 'LISTEN_FAILED' })
})

test('closing finishes what is under way and takes nothing new; twice is once', async () => {
  const started = await start()
  const begun = await fetch(`${started.url}/v2/a/blobs/uploads/`, { method: 'POST' })
  const path = begun.headers.get('location')!
  const digest = digestOf(Buffer.from('abcdef'))
  const socket = connect(started.port, '127.0.0.1')
  let reply = ''
  socket.on('data', (chunk) => {
    reply += chunk
  })
  socket.write(`PUT ${path}?digest=${digest} HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc`)
  while ((await fetch(started.url + path)).headers.get('range') !== '0-2');
  const closed = started.server.close({ graceMs: 60_000 })
  await started.event(({ event }) => event === 'stopping')
  await assert.rejects(fetch(`${started.url}/v2/`))
  socket.write('def')
  await new Promise((resolve) => socket.once('close', resolve))
  assert.equal(statusOf(reply), 201)
  await Promise.all([closed, started.server.close()])
  assert.equal(started.events.at(-1)?.event, 'stopped')
})

test('what is not done after the grace is cut off, and can be resumed in another server', async () => {
  const repositories = new MemoryRepositories()
  const started = await start({ repositories })
  const path = (await fetch(`${started.url}/v2/a/blobs/uploads/`, { method: 'POST' })).headers.get(
    'location',
  )!
  const hanging = raw(started.port, `PATCH ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc`)
  while ((await fetch(started.url + path)).headers.get('range') !== '0-2');
  await started.server.close({ graceMs: 10 })
  assert.equal(await hanging, '')
  await using next = await start({ repositories })
  const digest = digestOf(Buffer.from('abcdef'))
  assert.equal(
    (await fetch(`${next.url}${path}?digest=${digest}`, { method: 'PUT', body: 'def' })).status,
    201,
  )
})

test('health follows the store, and metrics count without telling names', async () => {
  const memory = new MemoryRepositories()
  let ill = false
  await using started = await start({
    repositories: {
      repository: (name) => memory.repository(name),
      create: (name) => memory.create(name),
      names: async (page) => {
        if (ill) throw new Error('the disk is gone')
        return memory.names(page)
      },
    },
  })
  assert.equal((await fetch(`${started.url}/healthz`)).status, 200)
  ill = true
  assert.equal((await fetch(`${started.url}/healthz`)).status, 503)
  const body = 'private layer'
  await fetch(`${started.url}/v2/private/name/blobs/uploads/?digest=${digestOf(Buffer.from(body))}`, {
    method: 'POST',
    body,
  })
  await (await fetch(`${started.url}/v2/private/name/blobs/${digestOf(Buffer.from(body))}`)).text()
  await started.event((event) => event.event === 'request' && event.route === 'blob')
  const text = await (await fetch(`${started.url}/metrics`)).text()
  assert.match(text, /sealift_registry_requests_total\{method="POST",route="uploads",status="201"\} 1\n/)
  assert.match(text, /sealift_registry_requests_total\{method="GET",route="health",status="503"\} 1\n/)
  assert.match(text, new RegExp(`sealift_registry_received_bytes_total ${body.length}\n`))
  assert.doesNotMatch(text, /private/)
  for (const line of text.trimEnd().split('\n')) {
    assert.match(line, /^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[^}]*\})? [-0-9.e]+)$/)
  }
})

test('TLS with files that are read again when they change, and not replaced by bad ones', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-tls-'))
  const tls = { certificatePath: join(folder, 'cert.pem'), keyPath: join(folder, 'key.pem') }
  const write = async (certificate: string, key: string) => {
    await writeFile(tls.certificatePath, certificate)
    await writeFile(tls.keyPath, key)
  }
  await write(testCertificates.server, testCertificates.serverKey)
  await using started = await start({ tls })
  const served = async () => {
    const socket = connectTls({ port: started.port, host: '127.0.0.1', rejectUnauthorized: false })
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
    const { subject } = socket.getPeerCertificate()
    socket.write(get('/v2/'))
    const reply = await new Promise<string>((resolve) => socket.once('data', (data) => resolve(String(data))))
    socket.destroy()
    assert.equal(statusOf(reply), 200)
    return subject.CN
  }
  assert.match(started.url, /^https:/)
  assert.equal(await served(), 'server')
  await write(testCertificates.client, testCertificates.clientKey)
  await started.server.reload()
  assert.equal(await served(), 'client')
  await write(testCertificates.server, testCertificates.clientKey)
  await started.server.reload()
  assert.equal(await served(), 'client')
  await using broken = createRegistryServer({ repositories: new MemoryRepositories(), tls })
  await assert.rejects(broken.listen('127.0.0.1:0'), { code: 'TLS_FILES_INVALID' })
  await rm(folder, { recursive: true })
})
