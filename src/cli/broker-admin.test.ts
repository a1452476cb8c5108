// Administering a broker over the network: by whom, and over what.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { attestationLimits } from '#base/index.ts'
import { startBrokerServer } from '#server/index.ts'
import { brokerScene } from '../../test/support/broker-scene.ts'
import { testCertificates } from '../../test/support/test-certificates.ts'
import { brokerFetch } from './broker/broker-fetch.ts'
import { runHere } from './cli.suite.ts'

function folder(t: TestContext): string {
  const cwd = mkdtempSync(join(tmpdir(), 'sealift-admin-'))
  t.after(() => rmSync(cwd, { recursive: true }))
  return cwd
}

test('a client certificate of certs.d administers over TLS whose authority is known', async (t) => {
  const cwd = folder(t)
  const { ca, server, serverKey, client, clientKey } = testCertificates
  for (const [name, text] of Object.entries({ ca, server, serverKey })) writeFileSync(join(cwd, name), text)
  const at = (name: string) => JSON.stringify(join(cwd, name))
  const tls = `tls: { certificate: ${at('server')}, key: ${at('serverKey')} }`
  const grant = '{role: owner, to: ["certificate:client"], repositories: ["**"]}'
  writeFileSync(join(cwd, 'rules.yaml'), `version: 1\ngrants: [${grant}]\n`)
  await using scene = await brokerScene((yaml) =>
    yaml
      .replace('listen: 127.0.0.1:8081', `listen: 127.0.0.1:0\n  ${tls}\n  clientCa: ${at('ca')}`)
      .replace('access: access.yaml', `access: ${at('rules.yaml')}`),
  )
  await using running = await startBrokerServer({ ...scene.broker, log: () => undefined }, '127.0.0.1:0')
  const url = running.adminUrl ?? ''
  assert.match(url, /^https:/)
  const list = ['broker', 'resource', 'ls', '--broker', url]

  const stranger = await runHere(list, { cwd })
  assert.equal(stranger.exitCode, 1)
  assert.match(stranger.stderr, /BROKER_UNREACHABLE/)
  // Its authority is known, and nothing says who asks.
  const env = { SSL_CERT_FILE: join(cwd, 'ca') }
  const nobody = await runHere(list, { cwd, env })
  assert.equal(nobody.exitCode, 5)
  assert.match(nobody.stderr, /BROKER_REFUSED/)

  const certs = join(cwd, '.config/containers/certs.d', new URL(url).host)
  mkdirSync(certs, { recursive: true })
  for (const [name, text] of Object.entries({ 'ca.crt': ca, 'me.cert': client, 'me.key': clientKey }))
    writeFileSync(join(certs, name), text)
  writeFileSync(join(cwd, 'secret'), 'a secret')
  const put = ['broker', 'resource', 'put', 'default/key/one', 'secret', '--broker', url]
  assert.deepEqual(await runHere(put, { cwd }), {
    exitCode: 0,
    stdout: 'default/key/one: 8 bytes\n',
    stderr: '',
  })
  assert.match((await runHere(list, { cwd })).stdout, /default\/key\/one/)
})

test('what proves an admin is sent by HTTPS, or to loopback', async (t) => {
  const cwd = folder(t)
  const list = (url: string) => runHere(['broker', 'resource', 'ls', '--broker', url], { cwd })
  for (const url of ['http://kbs.example:8081', 'http://127.0.0.1.example:8081', 'http://10.0.0.1']) {
    const { exitCode, stderr } = await list(url)
    assert.equal(exitCode, 2, url)
    assert.match(stderr, /by HTTPS alone/)
  }
  const { exitCode, stderr } = await list('http://127.0.0.1:8081')
  assert.equal(exitCode, 2)
  assert.match(stderr, /which key proves you/)
})

test('an answer is read up to its limit, and no redirect is followed', async (t) => {
  const server = createServer((request, response) => {
    if (request.url === '/there') response.writeHead(302, { location: '/large' }).end()
    else if (request.url === '/cookies') response.setHeader('set-cookie', ['a=1', 'b=2']).end()
    else response.end(Buffer.alloc(Number(request.url?.slice(1))))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const few = brokerFetch({}, 100)
  assert.equal((await (await few(`${at}/100`)).arrayBuffer()).byteLength, 100)
  await assert.rejects(few(`${at}/101`), /more than 100 bytes/)
  assert.equal((await few(`${at}/there`)).status, 302)
  assert.deepEqual((await few(`${at}/cookies`)).headers.getSetCookie(), ['a=1', 'b=2'])
  assert.ok(attestationLimits.answerBytes > attestationLimits.bodyBytes)
  const gone = new AbortController()
  gone.abort(new Error('stopped'))
  await assert.rejects(few(`${at}/1`, { signal: gone.signal }), /stopped/)
})
