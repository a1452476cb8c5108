// What the broker must not be made to do, by guests, admins with few rights, plugins of others and odd input.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parseAccessRules } from '#access/index.ts'
import {
  formatAttestationRequest,
  formatAuthRequest,
  generateTeeKey,
  guestClient,
  primaryReportData,
  sampleEvidence,
  type Tee,
} from '#attestation/index.ts'
import { type AuditRecord, replay } from '#gate/index.ts'
import { type BrokerScene, brokerScene, fetchOf, never } from '../../test/support/broker-scene.ts'
import { Administration } from './admin/administration.ts'
import { parseBrokerConfiguration } from './configuration/parse-configuration.ts'
import type { AdminRequest } from './face.ts'
import { MemorySessions } from './sessions/index.ts'
import type { Plugin } from './types.ts'

const pair = await generateTeeKey('P-256')
const secret = Buffer.from('a secret of a plugin')

const ask = (scene: BrokerScene, method: 'GET' | 'POST' | 'DELETE', path: string, more: object = {}) =>
  scene.face.guest({ method, path: path.split('/'), query: {}, body: new Uint8Array(), ...more }, never)

async function begin(scene: BrokerScene, tee: Tee): Promise<{ sessionId: string; nonce: string }> {
  const body = formatAuthRequest({ version: '0.4.0', tee })
  const reply = await ask(scene, 'POST', 'auth', { body })
  const { nonce } = JSON.parse(Buffer.from(reply.body).toString()) as { nonce: string }
  return { sessionId: reply.cookie!.value, nonce }
}

function evidence(tee: Tee, nonce: string): Uint8Array {
  const data = { nonce, teePubkey: pair.jwk, additionalEvidence: '' }
  const primaryEvidence = sampleEvidence(primaryReportData('0.4.0', tee, data))
  return formatAttestationRequest({ ...data, primaryEvidence }, '0.4.0')
}

const records = async ({ audit }: BrokerScene): Promise<AuditRecord[]> =>
  (await Array.fromAsync(audit.records())).map(({ record }) => record)

describe('admins', () => {
  const guarded: Plugin = {
    name: 'vault',
    access: ({ path }) => (path[0] === 'settings' ? 'admin' : path[0] === 'ca' ? 'public' : 'attested'),
    encrypted: () => true,
    handle: async () => ({ mediaType: 'text/plain', body: secret, noStore: true }),
  }
  const rules = parseAccessRules(`version: 1
grants:
  - role: auditor
    to: ["user:eve"]
    repositories: ["**"]
  - role: owner
    to: ["user:ada"]
    repositories: ["**"]
`)
  const request = (path: string, name: string, more: Partial<AdminRequest> = {}): AdminRequest => ({
    method: 'GET',
    path: path.split('/'),
    query: {},
    body: new Uint8Array(),
    api: 'kbs',
    principal: { kind: 'user', name },
    ...more,
  })
  const administration = (more: object = {}) =>
    new Administration({
      plugins: new Map([['vault', guarded]]),
      rules: async () => rules,
      administration: [],
      ...more,
    })

  test('get nothing of a plugin that it keeps for guests: no policy was asked', async () => {
    for (const name of ['eve', 'ada']) {
      for (const method of ['GET', 'POST', 'PUT', 'DELETE'] as const) {
        const reply = await administration().answer(request('vault/key', name, { method }), new Date(), never)
        assert.equal(reply.status, 403, `${method} by ${name}`)
        assert.ok(!Buffer.from(reply.body).includes(secret))
      }
      for (const path of ['vault/ca', 'vault/settings'])
        assert.equal((await administration().answer(request(path, name), new Date(), never)).status, 200)
    }
  })

  test('are answered, and refused, where nothing can be written down', async () => {
    const audit = {
      append: async () => {
        throw new Error('the disk is full')
      },
    }
    const full = administration({ audit })
    for (const [path, name] of [
      ['vault/settings', 'eve'],
      ['vault/settings', 'mallory'],
      ['vault/key', 'ada'],
    ] as const) {
      const reply = await full.answer(request(path, name), new Date(), never)
      assert.equal(reply.status, 500)
      assert.ok(!Buffer.from(reply.body).includes(secret))
    }
  })

  test('are refused in writing, whatever the names are that they ask for', async () => {
    await using scene = await brokerScene()
    const names = [`${'x'.repeat(1022 - 'attestation/'.length)}😀😀`, '\ud800', '\u202e', '😀'.repeat(512)]
    for (const name of names) {
      for (const path of [
        ['policies', 'attestation', name],
        ['policies', name],
        ['references', name],
      ]) {
        const principal = { kind: 'user', name: 'eve' } as const
        const asked = { method: 'DELETE', path, query: {}, body: new Uint8Array(), api: 'admin' } as const
        const reply = await scene.face.admin({ ...asked, principal }, never)
        assert.deepEqual([reply.status, reply.outcome.code], [403, 'BROKER_ADMIN_DENIED'])
        const last = (await records(scene)).at(-1)!
        assert.ok(last.type === 'access' && last.principal.name === 'eve' && !last.allowed)
      }
    }
  })

  test('who have no rights learn nothing of rules that cannot be read', async () => {
    await using scene = await brokerScene()
    const path = join(scene.directory, 'access.yaml')
    writeFileSync(path, 'version: 1\nPLANTED: 1\n')
    for (let attempt = 0; ; attempt++) {
      const reply = await scene.admin('GET', 'policies')
      if (reply.status === 200 && attempt < 100) {
        await new Promise((resolve) => setTimeout(resolve, 20))
        continue
      }
      assert.deepEqual([reply.status, reply.outcome.code], [503, 'ACCESS_RULES_INVALID'])
      assert.doesNotMatch(Buffer.from(reply.body).toString(), /PLANTED|access\.yaml/)
      assert.ok(reply.outcome.message?.includes('PLANTED'))
      break
    }
  })

  test('are told that a request is none, and never that the broker failed', async () => {
    await using scene = await brokerScene((yaml) => `${yaml}\npki: {trustDomain: broker.example}\n`)
    for (const body of ['x', '{"root": true, "root": false}', '[]', '\xff']) {
      const reply = await scene.admin('POST', 'pki/rotate', Buffer.from(body, 'latin1'))
      assert.deepEqual([reply.status, body], [400, body])
    }
  })
})

describe('guests', () => {
  test('with a token are not refused for a session beside it that they began and left', async () => {
    await using scene = await brokerScene()
    await scene.admin('PUT', 'references/svn', { value: ['1'] })
    await scene.admin('PUT', 'references/launch_digest', { value: ['abcde'] })
    await scene.admin('POST', 'kbs:resource/default/key/one', secret)
    const guest = guestClient({ url: 'http://broker.test', keyPair: pair, fetch: fetchOf(scene.face) })
    const bearer = await guest.attest()
    const { sessionId } = await begin(scene, 'sample')
    const both = await ask(scene, 'GET', 'resource/default/key/one', { sessionId, bearer })
    assert.equal(both.status, 200)
    const alone = await ask(scene, 'GET', 'resource/default/key/one', { sessionId })
    assert.equal(alone.status, 401)
  })

  test('leave nothing in the log of requests that is no name of what they asked for', async () => {
    await using scene = await brokerScene(
      (yaml) =>
        `${yaml}\nnebula: {name: n, pool: {range: 10.42.0.0/24}}\npki: {trustDomain: t.example, profiles: {web: {use: [server]}}}\n`,
    )
    const body = 'version = "0.1.0"\nalgorithm = "sha256"\n[data]\n'
    const more = { initData: { format: 'toml', body } } as const
    const url = 'http://broker.test'
    const bearer = await guestClient({ url, keyPair: pair, fetch: fetchOf(scene.face), ...more }).attest()
    const planted = 'PLANTED5ec4e7'
    for (const query of [
      { [planted]: 'x' },
      { profile: 'web', ip: planted },
      { profile: 'web', dns: `${planted}_` },
      { profile: planted, hours: planted },
      { name: 'n1', ip: planted, groups: planted, duration: planted, signature: planted },
    ])
      for (const path of ['nebula-ca/credential', 'pki/certificate']) {
        const reply = await ask(scene, 'GET', path, { query, bearer })
        assert.equal(reply.status, 400)
        assert.ok(!JSON.stringify(reply.outcome).includes(planted))
      }
  })

  test('make no entry of the log that nobody can read: nor do admins', async () => {
    await using scene = await brokerScene()
    const names = ['__proto__', 'constructor', 'toString']
    for (const [name, value] of Object.entries({ svn: ['1'], launch_digest: ['abcde'] }))
      await scene.admin('PUT', `references/${name}`, { value })
    const statuses = names.map(
      async (name) => (await scene.admin('PUT', `references/${name}`, { value: 1 })).status,
    )
    assert.deepEqual(await Promise.all(statuses), [400, 200, 200])
    await scene.admin('POST', 'kbs:resource/default/key/one', secret)
    const guest = guestClient({ url: 'http://broker.test', keyPair: pair, fetch: fetchOf(scene.face) })
    const bearer = await guest.attest()
    const asked = async (name: string) => {
      const query = Object.assign(Object.create(null), JSON.parse(`{"a": "b"}`))
      query[name] = 'x'
      return (await ask(scene, 'GET', 'resource/default/key/one', { query, bearer })).status
    }
    assert.deepEqual(await Promise.all(names.map(asked)), [400, 200, 200])
    let entries = 0
    for await (const { differences } of replay(scene.audit)) {
      entries++
      assert.deepEqual(differences, [])
    }
    assert.ok(entries > 0)
  })

  test('with much init-data get no token that the broker could not read again', async () => {
    await using scene = await brokerScene()
    const initData = (bytes: number) => ({
      format: 'toml' as const,
      body: `version = "0.1.0"\nalgorithm = "sha256"\n[data]\n"a" = "${'x'.repeat(bytes)}"\n`,
    })
    const attest = async (bytes: number) => {
      const { sessionId, nonce } = await begin(scene, 'sample')
      const data = { nonce, teePubkey: pair.jwk, additionalEvidence: '' }
      const primaryEvidence = sampleEvidence(primaryReportData('0.4.0', 'sample', data))
      const whole = { ...data, primaryEvidence, initData: initData(bytes) }
      return ask(scene, 'POST', 'attest', { sessionId, body: formatAttestationRequest(whole, '0.4.0') })
    }
    assert.equal((await attest(600_000)).status, 200)
    const long = await attest(900_000)
    assert.deepEqual([long.status, long.outcome.code], [413, 'BROKER_TOKEN_TOO_LONG'])
    assert.equal((await records(scene)).at(-1)?.type, 'evaluation')
  })

  test('with long tokens take no room from all others, nor all memory', async () => {
    const sessions = new MemorySessions({ mostTokenBytes: 1000, longTokenBytes: 100 })
    const at = new Date()
    const attested = async (length: number, seconds = 300) => {
      const id = randomBytes(16).toString('hex')
      const expires = new Date(at.getTime() + seconds * 1000)
      await sessions.create({ id, version: '0.4.0', tee: 'sample', nonce: '', expires }, at)
      const session = await sessions.attest(id, 'x'.repeat(length), at)
      return session?.token?.length
    }
    const full = { code: 'SESSION_LIMIT' }
    assert.equal(await attested(399, 1), 399)
    assert.equal(await attested(101), 101)
    // Half of the room is for those that are not long.
    await assert.rejects(attested(101), full)
    for (let left = 5; left > 0; left--) assert.equal(await attested(100), 100)
    await assert.rejects(attested(1), full)
    // What has ended makes room.
    at.setTime(at.getTime() + 3000)
    assert.equal(await attested(101), 101)
  })

  test('whose evidence is of devices alone get no token, and that is written down', async () => {
    await using scene = await brokerScene((yaml) =>
      yaml.replace('tees: [sample]', 'tees: [sample, sampledevice]'),
    )
    const { sessionId, nonce } = await begin(scene, 'sampledevice')
    const reply = await ask(scene, 'POST', 'attest', { sessionId, body: evidence('sampledevice', nonce) })
    assert.deepEqual([reply.status, reply.outcome.code], [401, 'TOKEN_INVALID'])
    const last = (await records(scene)).at(-1)
    assert.ok(last?.type === 'evaluation' && last.resource === 'attestation/default_gpu')
  })
})

test('nothing that is asked makes the broker fail, or throws', async () => {
  await using scene = await brokerScene(
    (yaml) => `${yaml}\nnebula: {name: n, pool: {range: 10.42.0.0/24}}\npki: {trustDomain: t.example}\n`,
  )
  const bodies = ['', 'x', '{}', 'null', '[]', '{"to": -1}', '{"policy": "AAAA", "policy_id": "../x"}']
  const queries = ['', '?name=n1&ip=999', '?limit=0', '?after=%00', '?store=__proto__', '?profile=toString']
  const names = ['..', 'constructor', '\u202e', '😀'.repeat(500), 'versions', 'rollback', '-1']
  const admins = [
    'policies',
    'policies/resource',
    'policies/attestation',
    'references',
    'references/import',
    'leases',
  ]
  admins.push(
    'nebula/authorities',
    'nebula/holders',
    'pki',
    'pki/issued',
    'pki/rotate',
    'token-keys',
    'kbs:resource',
  )
  admins.push(
    'kbs:resource/a/b',
    'kbs:resource-policy',
    'kbs:attestation-policy',
    'kbs:reference-value',
    'kbs:pki/crl',
  )
  const guests = [
    'auth',
    'attest',
    'resource',
    'resource/a/b',
    'nebula-ca',
    'nebula-ca/credential',
    'pki',
    'pki/crl',
  ]
  const methods = ['GET', 'POST', 'PUT', 'DELETE'] as const
  const asked: Promise<readonly [string, number]>[] = []
  for (const method of methods) {
    for (const path of [...admins, ...admins.flatMap((path) => names.map((name) => `${path}/${name}`))])
      for (const body of path.includes(names[3]!) || method === 'GET' ? [''] : bodies.slice(0, 3))
        asked.push(
          scene.admin(method, path, Buffer.from(body)).then(({ status }) => [`${method} ${path}`, status]),
        )
    for (const path of [...guests, ...guests.flatMap((path) => names.map((name) => `${path}/${name}`))])
      for (const search of queries)
        for (const body of bodies) {
          const query = Object.fromEntries(new URLSearchParams(search))
          const whole = { method, path: path.split('/'), query, body: Buffer.from(body) }
          asked.push(
            scene.face
              .guest(whole, never)
              .then(({ status }) => [`${method} ${path}${search} ${body}`, status]),
          )
        }
  }
  // 503: others changed the same thing all the time.
  const failed = (await Promise.all(asked)).filter(([, status]) => status >= 500 && status !== 503)
  assert.deepEqual(failed, [])
})

test('no store of secrets is in the place of the state or of another, or sealed as the state is', async () => {
  await using scene = await brokerScene()
  const yaml = readFileSync(join(scene.directory, 'broker.yaml'), 'utf8')
  const state = 'kind: sqlite, path: state.sqlite'
  const main = 'kind: sqlite, path: secrets.sqlite'
  const database = (host: string, name = '') => `kind: postgres, url: "postgres://b@${host}/broker"${name}`
  const second = (place: string) => yaml.replace('\n  default: main', `\n    second: {place: {${place}}}$&`)
  for (const text of [
    yaml.replace(main, state),
    yaml.replace(main, 'kind: sqlite, path: ./x/../state.sqlite'),
    yaml.replace('\n    main:', '\n    state:').replace('default: main', 'default: state'),
    yaml.replace(state, database('db')).replace(main, database('db:5432')),
    yaml.replace(state, database('db')).replace(main, database('db', ', name: secrets')),
    second(main),
  ]) {
    assert.notEqual(text, yaml)
    assert.throws(() => parseBrokerConfiguration(text), { code: 'BROKER_CONFIGURATION_INVALID' })
  }
  for (const text of [
    yaml,
    second('kind: sqlite, path: second.sqlite'),
    yaml.replace(state, database('db')).replace(main, database('db', ', name: main')),
    yaml.replace(state, database('db')).replace(main, database('other')),
  ])
    parseBrokerConfiguration(text)
})
