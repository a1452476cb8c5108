// The listeners before a whole broker: what admins and guests do with each other over HTTP, and what is left of it.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  generateTeeKey,
  guestClient,
  parseErrorBody,
  parseJwkSet,
  protocolVersions,
} from '#attestation/index.ts'
import { adminToken } from '#broker/index.ts'
import { brokerScene } from '../../../test/support/broker-scene.ts'
import { send } from './broker.suite.ts'
import type { BrokerEvent } from './broker-log.ts'
import { startBrokerServer } from './broker-server.ts'

const pair = await generateTeeKey('P-256')

async function start() {
  await using stack = new AsyncDisposableStack()
  const scene = stack.use(await brokerScene((yaml) => yaml.replace('127.0.0.1:8081', '127.0.0.1:0')))
  const events: BrokerEvent[] = []
  const { broker } = scene
  const server = stack.use(
    await startBrokerServer({ ...broker, log: (event) => events.push(event) }, '127.0.0.1:0'),
  )
  const tokens: string[] = []
  /** As the owner, over HTTP. */
  const admin = (method: string, path: string, body?: string | Uint8Array) => {
    const token = adminToken({ privateKey: scene.ownerKey, audience: server.adminUrl ?? '' })
    tokens.push(token)
    const headers = { authorization: `Bearer ${token}`, 'content-length': body?.length ?? 0 }
    return send(server.adminUrl + path, { method, headers }, body)
  }
  for (const [name, value] of Object.entries({ svn: ['1'], launch_digest: ['abcde'] })) {
    const { status, text } = await admin('PUT', `/admin/v1/references/${name}`, JSON.stringify({ value }))
    assert.equal(status, 200, text)
  }
  const running = stack.move()
  return { scene, events, server, admin, tokens, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

test('what an admin brings over HTTP an attested guest gets over HTTP, in each version', async () => {
  await using at = await start()
  const path = '/kbs/v0/resource/default/key/one'
  assert.equal((await at.admin('POST', path, 'a secret')).status, 200)
  for (const version of protocolVersions.filter((version) => !version.startsWith('0.1'))) {
    const guest = guestClient({ url: at.server.guestUrl, keyPair: pair, version, fetch })
    assert.equal(Buffer.from(await guest.get('resource/default/key/one')).toString(), 'a secret', version)
  }
  const keys = await send(`${at.server.guestUrl}/.well-known/jwks.json`)
  assert.equal(parseJwkSet(Buffer.from(keys.text)).length > 0, true)
  assert.match((await send(`${at.server.guestUrl}/kbs/v0/token-certificates`)).text, /BEGIN CERTIFICATE/)
  // The same call at the wrong listener, or by nobody, changes nothing.
  for (const url of [at.server.guestUrl, at.server.adminUrl]) {
    const reply = await send(url + path, { method: 'POST' }, 'another')
    const { type } = parseErrorBody(Buffer.from(reply.text))
    assert.deepEqual([reply.status, type], [401, 'AdminAuthAccess'])
  }
  const removed = await at.admin('DELETE', path)
  assert.equal(removed.status, 200, removed.text)
})

test('nothing secret is in a log line, a metric, a refusal or the audit log', async () => {
  const planted = 'planted-0f1e2d3c'
  // What a policy decides on is in the audit log, to be replayed, and nowhere else.
  const queried = 'queried-4b5a6978'
  await using at = await start()
  const replies: string[] = []
  const secrets: string[] = [
    planted,
    Buffer.from(planted).toString('base64'),
    Buffer.from(planted).toString('hex'),
  ]
  assert.equal((await at.admin('POST', '/kbs/v0/resource/default/key/one', planted)).status, 200)
  const watched: typeof fetch = async (input, init) => {
    const reply = await fetch(input, init)
    const cookie = /kbs-session-id=(\w+)/.exec(reply.headers.get('set-cookie') ?? '')?.[1]
    if (cookie !== undefined) secrets.push(cookie)
    const copy = await reply.clone().text()
    if (copy.includes('"token"')) secrets.push((JSON.parse(copy) as { token: string }).token)
    return reply
  }
  const guest = guestClient({ url: at.server.guestUrl, keyPair: pair, fetch: watched })
  await guest.get('resource/default/key/one')
  await assert.rejects(guest.get('resource/default/key/absent'))
  await assert.rejects(guest.get(`resource/default/key/one?${queried}=${queried}`).then(() => assert.fail()))
  const [session = ''] = secrets.filter((text) => /^[0-9a-f]{32}$/.test(text))
  assert.ok(session)
  const wrong = [
    send(
      `${at.server.guestUrl}/kbs/v0/attest`,
      { method: 'POST', headers: { cookie: `kbs-session-id=${session}` } },
      planted,
    ),
    send(`${at.server.guestUrl}/kbs/v0/auth`, { method: 'POST' }, `{"version":"${planted}"}`),
    send(`${at.server.guestUrl}/kbs/v0/${planted}/x`, { headers: { authorization: `Bearer ${planted}` } }),
    send(`${at.server.guestUrl}/kbs/v0/resource/default/key/one`, {
      headers: { authorization: `Bearer a.${planted}.b` },
    }),
    at.admin('POST', '/kbs/v0/resource-policy', planted),
    at.admin('PUT', '/admin/v1/policies/resource', `{"files":[{"path":"a.rego","text":"${planted}"}]}`),
    at.admin('PUT', '/admin/v1/references/x', planted),
    at.admin('POST', '/kbs/v0/reference-value', `{"version":"0.1.0","type":"sample","payload":"${planted}"}`),
  ]
  for (const { status, text } of await Promise.all(wrong)) {
    assert.ok(status >= 400 && status < 500, text)
    replies.push(text)
  }
  const { text: metrics } = await send(`${at.server.adminUrl}/metrics`)
  assert.match(metrics, /call="resource",status="200"\} 1$/m)
  secrets.push(...at.tokens)
  const audit = filesIn(join(at.scene.directory, 'audit'))
  assert.ok(audit.length > 3 && at.events.length > 10 && secrets.length > 10)
  const told = { log: JSON.stringify(at.events), metrics, replies: replies.join(), audit: audit.join() }
  for (const [where, text] of Object.entries(told)) {
    if (where !== 'audit') assert.ok(!text.includes(queried), where)
    for (const secret of secrets) assert.ok(!text.includes(secret), `${secret.slice(0, 40)} is in ${where}`)
  }
})

const filesIn = (directory: string): string[] =>
  readdirSync(directory, { recursive: true })
    .map((name) => join(directory, String(name)))
    .filter((path) => statSync(path).isFile())
    .map((path) => readFileSync(path, 'latin1'))
