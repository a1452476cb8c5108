import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { limits, nodeFileSystem } from '#base/index.ts'
import { FakeRegistry, send } from '../../../../test/support/fake-registry.ts'
import { quickClient } from '../../../../test/support/registry-client.ts'
import { testCertificates as pem } from '../../../../test/support/test-certificates.ts'
import { certificateFolders, certificates } from './certificates.ts'

const serverTls = { cert: pem.server, key: pem.serverKey }
const tlsFrom = (folder: string, env = {}) =>
  certificates({ files: nodeFileSystem, env, folders: [folder], maxBytes: limits.credentialFileBytes })

async function inFolder(act: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-certs-'))
  await act(folder).finally(() => rm(folder, { recursive: true }))
}

test('a CA in certs.d, or in SSL_CERT_FILE, is trusted for its host; without it TLS is refused', () =>
  inFolder(async (folder) => {
    await using registry = await FakeRegistry.start(serverTls)
    await mkdir(join(folder, registry.host))
    await writeFile(join(folder, registry.host, 'ca.crt'), pem.ca)
    await writeFile(join(folder, 'roots.pem'), pem.ca)
    const content = registry.addBlob('a', Buffer.from('x'))
    const ask = async (tls: ReturnType<typeof tlsFrom>) => {
      await using client = quickClient({ tls }).client
      return client.repository({ registry: registry.host, repository: 'a' }).has(content)
    }
    assert.equal(await ask(tlsFrom(folder)), true)
    assert.equal(await ask(tlsFrom('/nowhere', { SSL_CERT_FILE: join(folder, 'roots.pem') })), true)
    // Loopback or not: a port that speaks TLS is never spoken to in plain HTTP.
    await assert.rejects(ask(tlsFrom('/nowhere')), { code: 'REGISTRY_TLS' })
    assert.deepEqual(certificateFolders({ HOME: '/home/a' })[0], '/home/a/.config/containers/certs.d')
    assert.deepEqual(certificateFolders({ HOME: '/home/a', XDG_CONFIG_HOME: '/config' }).slice(0, 2), [
      '/config/containers/certs.d',
      '/home/a/.config/containers/certs.d',
    ])
  }))

test('a client certificate is shown to the host it is for', () =>
  inFolder(async (folder) => {
    await using registry = await FakeRegistry.start({
      ...serverTls,
      ca: pem.ca,
      requestCert: true,
      rejectUnauthorized: true,
    })
    const host = join(folder, registry.host)
    await mkdir(host)
    await writeFile(join(host, 'ca.crt'), pem.ca)
    const content = registry.addBlob('a', Buffer.from('x'))
    const ask = async () => {
      await using client = quickClient({ tls: tlsFrom(folder), limits: { retries: 1 } }).client
      return client.repository({ registry: registry.host, repository: 'a' }).has(content)
    }
    await assert.rejects(ask(), (error: { code: string }) =>
      /^REGISTRY_(?:TLS|CONNECTION_LOST)$/.test(error.code),
    )
    await writeFile(join(host, 'me.cert'), pem.client)
    await assert.rejects(ask(), { code: 'CERTIFICATES_INVALID' })
    await writeFile(join(host, 'me.key'), 'nonsense')
    await assert.rejects(ask(), (error: Error & { code: string }) => {
      assert.equal(error.code, 'CERTIFICATES_INVALID')
      assert.doesNotMatch(error.message, /nonsense/)
      return true
    })
    await writeFile(join(host, 'me.key'), pem.clientKey)
    assert.equal(await ask(), true)
  }))

test('plain HTTP is spoken on loopback where there is no TLS, and elsewhere only where it is asked for', async () => {
  await using registry = await FakeRegistry.start()
  const content = registry.addBlob('a', Buffer.from('x'))
  await using client = quickClient().client
  assert.equal(await client.repository({ registry: registry.host, repository: 'a' }).has(content), true)

  const port = registry.host.split(':')[1]
  // A name that leads to loopback but does not say so: nobody but the caller knows.
  const proxies = () => `http://${proxy.host}`
  await using proxy = await forwardProxy(registry.host)
  const named = `registry.example:${port}`
  await using allowed = quickClient({ proxies, plainHttp: [named] }).client
  assert.equal(await allowed.repository({ registry: named, repository: 'a' }).has(content), true)
  assert.ok(proxy.seen.length > 0)
  await using refused = quickClient({ proxies, limits: { retries: 0 } }).client
  await assert.rejects(
    refused.repository({ registry: named, repository: 'a' }).has(content),
    (error: { code: string }) => error.code.startsWith('REGISTRY_'),
  )
  assert.ok(
    proxy.seen.some((line) => line.startsWith('CONNECT ')),
    'it asked for a tunnel, for TLS',
  )
})

test('HTTPS goes through a tunnel of the proxy, with the registry certificate still checked', () =>
  inFolder(async (folder) => {
    await using registry = await FakeRegistry.start(serverTls)
    await mkdir(join(folder, registry.host))
    await writeFile(join(folder, registry.host, 'ca.crt'), pem.ca)
    const content = registry.addBlob('a', Buffer.from('x'))
    await using proxy = await forwardProxy(registry.host)
    await using client = quickClient({
      tls: tlsFrom(folder),
      proxies: () => `http://user:pass@${proxy.host}`,
    }).client
    assert.equal(await client.repository({ registry: registry.host, repository: 'a' }).has(content), true)
    assert.deepEqual(proxy.seen, [`CONNECT ${registry.host} Basic dXNlcjpwYXNz`])
  }))

test('a host that is not there is told at once; one that was there is waited for', async () => {
  const registry = await FakeRegistry.start()
  const { client, pauses } = quickClient({ limits: { retries: 2 } })
  await using _ = client
  const content = registry.addBlob('a', Buffer.from('x'))
  const repository = client.repository({ registry: registry.host, repository: 'a' })
  await repository.has(content)
  const { host } = registry
  await registry[Symbol.asyncDispose]()
  await assert.rejects(repository.has(content), (error: { code: string }) =>
    ['REGISTRY_UNREACHABLE', 'REGISTRY_CONNECTION_LOST'].includes(error.code),
  )
  assert.equal(pauses.length, 2)
  const fresh = quickClient()
  await using __ = fresh.client
  await assert.rejects(
    fresh.client.repository({ registry: host, repository: 'a' }).has(content),
    (error: Error & { code: string }) => {
      assert.equal(error.code, 'REGISTRY_UNREACHABLE')
      assert.ok(error.message.includes(host))
      return true
    },
  )
  assert.deepEqual(fresh.pauses, [])
})

test('Retry-After is waited for, up to the limit', async () => {
  await using registry = await FakeRegistry.start()
  const content = registry.addBlob('a', Buffer.from('x'))
  const answers = [
    [429, '3'],
    [503, '0'],
    [500, undefined],
    [408, undefined],
    [502, undefined],
  ] as const
  let at = 0
  registry.intercept = (_request, response) => {
    const answer = answers[at++]
    return (
      answer !== undefined &&
      send(response, answer[0], answer[1] === undefined ? {} : { 'retry-after': answer[1] })
    )
  }
  const { client, pauses } = quickClient()
  await using _ = client
  const repository = client.repository({ registry: registry.host, repository: 'a' })
  assert.equal(await repository.has(content), true)
  assert.deepEqual(pauses, [3100, 200, 400, 800, 1600])
  registry.intercept = (_request, response) => send(response, 429, { 'retry-after': '121' })
  await assert.rejects(repository.has(content), (error: Error & { code: string; hint: string }) => {
    assert.equal(error.code, 'REGISTRY_BUSY')
    assert.match(error.hint, /121/)
    return true
  })
  assert.equal(pauses.length, 5)
})

test('what is not HTTP, or far too much of it, is a failure that names the host', async () => {
  const answers: [string, string][] = [
    ['REGISTRY_ANSWER_INVALID', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['REGISTRY_ANSWER_INVALID', `HTTP/1.1 200 OK\r\nx-large: ${'x'.repeat(40_000)}\r\n\r\n`],
    // undici cannot tell this from a body that was cut off.
    [
      'REGISTRY_(?:ANSWER_INVALID|CONNECTION_LOST)',
      'HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n',
    ],
    ['REGISTRY_CONNECTION_LOST', ''],
    ['REGISTRY_CONNECTION_LOST', 'HTTP/1.1 200 OK\r\ncontent-le'],
  ]
  for (const [code, text] of answers) {
    for (const size of [10, 2_000_000]) {
      const server = createServer((socket) => {
        socket.on('error', () => {})
        socket.once('data', () => socket.end(text))
      })
      await using _ = server
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const registry = `127.0.0.1:${(server.address() as AddressInfo).port}`
      await using client = quickClient({ plainHttp: [registry], limits: { retries: 1 } }).client
      const content = {
        mediaType: 'application/octet-stream',
        digest: `sha256:${'0'.repeat(64)}` as never,
        size,
      }
      await assert.rejects(
        client.repository({ registry, repository: 'a' }).open(content),
        (error: Error & { code: string }) => {
          assert.match(error.code, new RegExp(`^${code}$`), `${text.slice(0, 50)} ${error.message}`)
          return true
        },
      )
    }
  }
})

/** An HTTP proxy that brings everybody to `target`. */
async function forwardProxy(target: string) {
  const seen: string[] = []
  const [host = '', port = ''] = target.split(':')
  const proxy = createHttpServer(async (request, response) => {
    seen.push(`${request.method} ${request.url}`)
    const { pathname, search } = new URL(request.url ?? '')
    const answer = await fetch(`http://${target}${pathname}${search}`, { method: request.method ?? 'GET' })
    response.writeHead(answer.status, Object.fromEntries(answer.headers))
    response.end(Buffer.from(await answer.arrayBuffer()))
  })
  proxy.on('connect', (request, socket) => {
    seen.push(`CONNECT ${request.url} ${request.headers['proxy-authorization'] ?? ''}`.trim())
    const upstream = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 Connected\r\n\r\n')
      socket.pipe(upstream).pipe(socket)
    })
    upstream.on('error', () => socket.destroy())
    socket.on('error', () => upstream.destroy())
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  return {
    seen,
    host: `127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      proxy.closeAllConnections()
      proxy.close()
    },
  }
}
