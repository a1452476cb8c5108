import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { attestationGuard, type Guarded } from './guard.ts'
import { formatJwkSet, parseJwkSet } from './jwk-set.ts'
import { tokenSigner } from './signer.ts'

const newSigner = () => tokenSigner(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
const signer = newSigner()
const stranger = newSigner()
const now = new Date('2026-11-21T09:00:00Z')
const seconds = now.getTime() / 1000
const issuer = 'https://kbs.example'
const trust = { keys: parseJwkSet(formatJwkSet([signer])), issuer }
const affirmed = { cpu0: { 'ear.status': 'affirming' } }
const good = { iss: issuer, exp: seconds + 60, submods: affirmed }
const guard = attestationGuard({ trust, now: () => now })

const asked = (authorization?: string) => ({
  headers: new Headers(authorization === undefined ? {} : { authorization }),
})
const statusOf = ({ refusal }: Guarded) => refusal?.status ?? 200
const outcome = async (authorization?: string, by = guard) => statusOf(await by(asked(authorization)))

test('a token that counts is let through with its claims', async () => {
  const guarded = await guard(asked(`Bearer ${signer.sign(good)}`))
  assert.ok(!guarded.refusal)
  assert.deepEqual(guarded.claims.submods, affirmed)
  assert.equal(guarded.expires.getTime(), now.getTime() + 60_000)
  assert.equal(await outcome(`bearer ${signer.sign(good)}`), 200)
  // As node:http has them.
  assert.equal(statusOf(await guard({ headers: { authorization: `Bearer ${signer.sign(good)}` } })), 200)
  assert.equal(statusOf(await guard({ headers: {} })), 401)
})

test('without a token that counts it is 401, and nobody is told why', async () => {
  const bodies = new Set<string>()
  for (const [authorization, code] of [
    [undefined, 'TOKEN_INVALID'],
    ['', 'TOKEN_INVALID'],
    ['Bearer', 'TOKEN_INVALID'],
    ['Bearer ', 'TOKEN_INVALID'],
    ['Basic YTpi', 'TOKEN_INVALID'],
    [`Bearer ${signer.sign(good)} x`, 'TOKEN_INVALID'],
    ['Bearer a.b.c', 'TOKEN_INVALID'],
    [`Bearer ${stranger.sign(good)}`, 'TOKEN_UNTRUSTED'],
    [`Bearer ${signer.sign({ ...good, exp: seconds })}`, 'TOKEN_EXPIRED'],
    [`Bearer ${signer.sign({ ...good, iss: 'https://other.example' })}`, 'TOKEN_UNTRUSTED'],
  ] as const) {
    const { refusal } = await guard(asked(authorization))
    assert.equal(refusal?.status, 401, authorization ?? 'nothing')
    assert.equal(refusal.code, code)
    assert.match(refusal.headers['www-authenticate'] ?? '', /^Bearer/)
    bodies.add(refusal.body)
  }
  assert.equal(bodies.size, 1)
})

test('what was attested but not affirmed is 403, unless the service says otherwise', async () => {
  for (const submods of [
    {},
    { cpu0: { 'ear.status': 'contraindicated' } },
    { ...affirmed, gpu0: { 'ear.status': 'warning' } },
    { cpu0: null },
    'affirming',
  ])
    assert.equal(await outcome(`Bearer ${signer.sign({ ...good, submods })}`), 403, JSON.stringify(submods))
  const any = attestationGuard({ trust, now: () => now, require: () => true })
  assert.equal(await outcome(`Bearer ${signer.sign({ ...good, submods: {} })}`, any), 200)
})

test('keys that change are asked for, once more where that of a token is not known', async () => {
  const asks: boolean[] = []
  const others = { keys: parseJwkSet(formatJwkSet([signer, stranger])), issuer }
  const rotating = attestationGuard({
    trust: (isUnknown) => {
      asks.push(isUnknown)
      return isUnknown ? others : trust
    },
    now: () => now,
  })
  assert.equal(await outcome(`Bearer ${signer.sign(good)}`, rotating), 200)
  assert.deepEqual(asks, [false])
  assert.equal(await outcome(`Bearer ${stranger.sign(good)}`, rotating), 200)
  assert.deepEqual(asks, [false, false, true])
  assert.equal(await outcome(`Bearer ${newSigner().sign(good)}`, rotating), 401)
})

/** A server on a port of its own, up to the end of the test. */
async function listening(t: TestContext, server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('the example of docs/broker.md guards a service', async (t) => {
  const issuing = createServer((_request, response) => response.end(formatJwkSet([signer])))
  const address = await listening(t, issuing)
  const [, example = ''] =
    /```js service\.mjs\n([\s\S]*?)```/.exec(readFileSync('docs/broker.md', 'utf8')) ?? []
  const directory = mkdtempSync(join(tmpdir(), 'sealift-guard-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'service.mjs')
  // Where `sealift` is installed it is that; here it is this checkout, and keys come from the server above.
  const text = example
    .replace("'sealift'", JSON.stringify(pathToFileURL('src/index.ts').href))
    .replace('https://kbs.example/.well-known', address)
  assert.notEqual(text, example)
  writeFileSync(file, text)
  const { service } = (await import(pathToFileURL(file).href)) as { service: Server }
  const where = await listening(t, service)
  const get = async (submods: object) => {
    const token = signer.sign({ iss: issuer, exp: Math.floor(Date.now() / 1000) + 60, submods })
    const response = await fetch(where, { headers: { authorization: `Bearer ${token}` } })
    return [response.status, await response.text()]
  }
  assert.deepEqual(await get(affirmed), [200, 'attested: cpu0'])
  assert.equal((await get({ cpu0: { 'ear.status': 'warning' } }))[0], 403)
  assert.equal((await fetch(where)).status, 401)
})
