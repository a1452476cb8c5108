import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { parseAccessRules, rolesFor } from '#access/index.ts'
import { isFailure, type Json, SealiftError, secretLimits } from '#base/index.ts'
import { problemOf } from '../problem.ts'
import { newKeyring } from '../stores/keyring.ts'
import { MemorySecretStore } from '../stores/memory-store.ts'
import { sealedStore } from '../stores/sealed-store.ts'
import { sealValue } from '../stores/sealed-value.ts'
import type { Caller, PluginRequest, SecretStore } from '../types.ts'
import { codes } from './codes.ts'
import { parseResourceConfiguration } from './configuration.ts'
import { problems } from './problems.ts'
import { resourcePlugin } from './resource-plugin.ts'

const failsWith = (code: string) => (error: unknown) => isFailure(error, code)
const bytes = (text: string) => new TextEncoder().encode(text)
const keyring = newKeyring()
const rules = parseAccessRules(`
version: 1
grants:
  - { role: owner, to: ['user:ada'], repositories: ['**'] }
  - { role: owner, to: ['user:bob'], repositories: ['team'] }
  - { role: releaser, to: ['user:rae'], repositories: ['**'] }
  - { role: auditor, to: ['user:aud'], repositories: ['**'] }
`)
const configuration = parseResourceConfiguration(`
version: 1
default: main
stores:
  main:
    place: { kind: given }
    verbs: { read: [guest], list: [owner, auditor], write: [owner, releaser] }
  sites:
    place: { kind: given }
    key: by-site/{facts.site}/{repository}/{type}/{tag}
    verbs: { read: [guest, certificate], rotate: [], delete: [] }
facts: { site: { initData: /site } }
routes: [{ when: { repository: edge }, store: sites }]
`)

const guest = (initData: Json = {}): Caller => ({ kind: 'guest', claims: {}, teeKey: {}, initData })
const user = (name: string): Caller => ({ kind: 'admin', principal: { kind: 'user', name } })
const certificate: Caller = { kind: 'certificate', identity: 'spiffe://x/y', claims: {} }

function world(wrap: (store: SecretStore) => SecretStore = (store) => store) {
  const beneath = new MemorySecretStore()
  const stores = new Map([
    ['main', wrap(sealedStore(beneath, keyring, { name: 'main' }))],
    ['sites', sealedStore(new MemorySecretStore(), keyring, { name: 'sites' })],
  ])
  const rolesOf = (principal: Parameters<typeof rolesFor>[1], repository: string) =>
    rolesFor(rules, principal, repository)
  const plugin = resourcePlugin({ configuration, stores, rolesOf })
  const ask = (
    method: PluginRequest['method'],
    path: string,
    caller: Caller,
    { body = '', query = {} }: { body?: string | Uint8Array; query?: Record<string, string> } = {},
  ) => {
    const request: PluginRequest = {
      plugin: 'resource',
      method,
      path: path === '' ? [] : path.split('/'),
      query,
      body: typeof body === 'string' ? bytes(body) : body,
      caller,
    }
    return plugin.handle(request, new Date(), AbortSignal.timeout(10_000))
  }
  return { plugin, ask, beneath }
}
const told = async (reply: Promise<{ body: Uint8Array }>) => Buffer.from((await reply).body).toString()

test('an admin sets, a guest gets, an admin replaces and removes', async () => {
  const { ask } = world()
  await assert.rejects(ask('GET', 'a/b/c', guest()), failsWith('RESOURCE_NOT_FOUND'))
  assert.equal(await told(ask('POST', 'a/b/c', user('ada'), { body: 'one' })), '')
  assert.deepEqual(await ask('GET', 'a/b/c', guest()), {
    mediaType: 'application/octet-stream',
    body: bytes('one'),
    noStore: true,
  })
  await ask('PUT', 'a/b/c', user('ada'), { body: 'two' })
  assert.equal(await told(ask('GET', 'a/b/c', guest())), 'two')
  await ask('DELETE', 'a/b/c', user('ada'))
  await assert.rejects(ask('GET', 'a/b/c', guest()), failsWith('RESOURCE_NOT_FOUND'))
  await assert.rejects(ask('DELETE', 'a/b/c', user('ada')), failsWith('RESOURCE_NOT_FOUND'))
})

test('who must prove what, and which replies are encrypted', () => {
  const { plugin } = world()
  const of = (method: PluginRequest['method'], path: string[]) => {
    const request = { plugin: 'resource', method, path, query: {}, body: bytes('') }
    return [plugin.access(request), plugin.encrypted(request)]
  }
  assert.deepEqual(of('GET', ['a', 'b', 'c']), ['attested', true])
  assert.deepEqual(of('GET', ['a']), ['attested', true])
  assert.deepEqual(of('GET', []), ['admin', false])
  for (const method of ['POST', 'PUT', 'DELETE'] as const) {
    assert.deepEqual(of(method, ['a', 'b', 'c']), ['admin', false])
  }
})

test('each verb is for whom the store names, and nobody else learns what is there', async () => {
  const { ask } = world()
  await ask('POST', 'team/b/there', user('ada'), { body: 'v' })
  const anonymous: Caller = { kind: 'anonymous' }
  const forbidden = failsWith('RESOURCE_FORBIDDEN')
  for (const tag of ['there', 'absent']) {
    for (const caller of [anonymous, certificate, user('ada'), user('aud')]) {
      await assert.rejects(ask('GET', `team/b/${tag}`, caller), forbidden)
    }
    for (const caller of [anonymous, guest(), certificate, user('aud'), user('nobody')]) {
      await assert.rejects(ask('POST', `team/b/${tag}`, caller), forbidden)
      await assert.rejects(ask('DELETE', `team/b/${tag}`, caller), forbidden)
    }
  }
  // A releaser sets what is not there, and replaces nothing; bob owns one repository.
  await ask('POST', 'team/b/new', user('rae'), { body: 'v' })
  await assert.rejects(ask('POST', 'team/b/there', user('rae')), forbidden)
  await assert.rejects(ask('POST', 'other/b/c', user('bob')), forbidden)
  await ask('PUT', 'team/b/there', user('bob'), { body: 'w' })
  assert.equal(await told(ask('GET', 'team/b/there', guest())), 'w')
})

test('a route by init-data: one path, another value for each site, and no way to another’s', async () => {
  const { ask, plugin } = world()
  for (const site of ['berlin', 'paris']) {
    await ask('POST', 'edge/key/disk', user('ada'), { body: `of ${site}`, query: { site } })
  }
  const berlin = guest({ site: 'berlin' })
  assert.equal(await told(ask('GET', 'edge/key/disk', berlin)), 'of berlin')
  assert.equal(await told(ask('GET', 'edge/key/disk', berlin, { query: { site: 'paris' } })), 'of berlin')
  assert.equal(await told(ask('GET', 'edge/key/disk', guest({ site: 'paris' }))), 'of paris')
  await assert.rejects(ask('GET', 'edge/key/disk', guest({ site: 'rome' })), failsWith('RESOURCE_NOT_FOUND'))
  for (const initData of [{}, { site: '../main' }, { site: 'a/b' }, { site: ['berlin'] }]) {
    await assert.rejects(
      ask('GET', 'edge/key/disk', guest(initData), { query: { site: 'berlin' } }),
      failsWith('RESOURCE_FACT_INVALID'),
    )
  }
  await assert.rejects(
    ask('POST', 'edge/key/disk', user('ada'), { body: 'x', query: { site: 'berlin' } }),
    failsWith('RESOURCE_FORBIDDEN'),
  )
  const { description, store } = plugin.resolve({
    path: ['edge', 'key', 'disk'],
    query: { q: '1' },
    caller: berlin,
  })
  assert.equal(store.name, 'sites')
  assert.deepEqual(JSON.parse(JSON.stringify(description)), {
    repository: 'edge',
    type: 'key',
    tag: 'disk',
    query: { q: '1' },
    facts: { site: 'berlin' },
  })
  assert.deepEqual(plugin.policyData({ path: ['edge', 'key', 'disk'], query: { q: '1' }, caller: berlin }), {
    plugin: 'resource',
    'resource-path': ['edge', 'key', 'disk'],
    query: { q: '1' },
    resource: { facts: { site: 'berlin' }, store: 'sites' },
  })
})

test('admins list what they may, page by page', async () => {
  const { ask } = world()
  const paths = ['a/b/1', 'a/b/2', 'a/c/1', 'team/b/1', 'team/b/2', 'z/b/1']
  for (const path of paths) await ask('POST', path, user('ada'), { body: 'planted' })
  await ask('POST', 'edge/key/disk', user('ada'), { body: 'x', query: { site: 'berlin' } })
  interface Page {
    store: string
    resources: { repository: string; type: string; tag: string; facts: object }[]
    next?: string
  }
  const list = async (name: string, query: Record<string, string> = {}) =>
    JSON.parse(await told(ask('GET', '', user(name), { query }))) as Page
  const shown = ({ resources }: Page) =>
    resources.map((each) => `${each.repository}/${each.type}/${each.tag}`)
  assert.deepEqual(shown(await list('ada')), paths)
  assert.deepEqual(shown(await list('aud', { repository: 'a' })), paths.slice(0, 3))
  assert.deepEqual(shown(await list('bob')), ['team/b/1', 'team/b/2'])
  assert.deepEqual(shown(await list('rae')), [])
  assert.deepEqual((await list('ada', { store: 'sites' })).resources, [
    { repository: 'edge', type: 'key', tag: 'disk', facts: { site: 'berlin' } },
  ])
  const paged: string[] = []
  for (let query: Record<string, string> | undefined = { limit: '2' }; query; ) {
    const page: Page = await list('bob', query)
    assert.ok(page.resources.length <= 2)
    paged.push(...shown(page))
    query = page.next === undefined ? undefined : { limit: '2', after: page.next }
  }
  assert.deepEqual(paged, ['team/b/1', 'team/b/2'])
  for (const limit of ['0', '-1', '1001', '1e2', '', 'x']) {
    await assert.rejects(list('ada', { limit }), failsWith('RESOURCE_QUERY_INVALID'))
  }
  for (const store of ['none', 'constructor', '../main']) {
    await assert.rejects(list('ada', { store }), failsWith('RESOURCE_NOT_FOUND'))
  }
  assert.deepEqual((await list('ada', { repository: '../..' })).resources, [])
  await assert.rejects(ask('GET', '', guest()), failsWith('RESOURCE_FORBIDDEN'))
  await assert.rejects(ask('POST', '', user('ada')), failsWith('RESOURCE_METHOD_INVALID'))
})

test('hostile paths, queries and values', async () => {
  const { ask, plugin } = world()
  for (const path of [
    'a',
    'a/b',
    'a/b/c/d',
    '../b/c',
    'a/../c',
    'a/b/..',
    'a//c',
    'a/b/c%00',
    "a/b/'--",
    'a/b/-c',
  ]) {
    for (const method of ['GET', 'POST', 'DELETE'] as const) {
      await assert.rejects(ask(method, path, user('ada')), failsWith('RESOURCE_PATH_INVALID'), path)
    }
  }
  await assert.rejects(
    ask('GET', 'a/b/c', guest(), { query: { a: ['x', 'y'] as never } }),
    failsWith('RESOURCE_QUERY_INVALID'),
  )
  const largest = new Uint8Array(secretLimits.valueBytes)
  await ask('POST', 'a/b/large', user('ada'), { body: largest })
  assert.equal((await ask('GET', 'a/b/large', guest())).body.length, largest.length)
  const over = new Uint8Array(secretLimits.valueBytes + 1)
  await assert.rejects(
    ask('POST', 'a/b/large', user('ada'), { body: over }),
    failsWith('SECRET_VALUE_TOO_LARGE'),
  )
  // A value that looks sealed, for the very place where it will lie, is data.
  const looks = sealValue(keyring, { store: 'main', key: 'resource/a/b/looks' }, bytes('x'))
  await ask('POST', 'a/b/looks', user('ada'), { body: looks })
  assert.deepEqual((await ask('GET', 'a/b/looks', guest())).body, looks)
  const patch = { plugin: 'resource', method: 'PATCH' as never, path: ['a', 'b', 'c'], query: {}, body: over }
  await assert.rejects(
    plugin.handle({ ...patch, caller: user('ada') }, new Date(), AbortSignal.timeout(1000)),
    failsWith('RESOURCE_METHOD_INVALID'),
  )
})

test('admins that write at once all come through, and a store in which others are always faster is told as busy', async () => {
  const { ask } = world()
  const bodies = ['1', '2', '3', '4', '5']
  await Promise.all(bodies.map((body) => ask('PUT', 'a/b/c', user('ada'), { body })))
  assert.ok(bodies.includes(await told(ask('GET', 'a/b/c', guest()))))
  const busy = world((store) => ({
    read: (key) => store.read(key),
    list: (prefix, page) => store.list(prefix, page),
    compareAndSet: async () => undefined,
  }))
  await assert.rejects(busy.ask('PUT', 'a/b/c', user('ada'), { body: 'x' }), failsWith('RESOURCE_BUSY'))
})

test('what does not open is replaced or removed like anything else', async () => {
  const { ask, beneath } = world()
  const foreign = sealedStore(beneath, newKeyring(), { name: 'main' })
  const spoil = [
    (key: string) => beneath.compareAndSet(key, undefined, bytes('plain')),
    (key: string) => foreign.compareAndSet(key, undefined, bytes('foreign')),
    async (key: string) => {
      await ask('POST', 'a/b/good', user('ada'), { body: 'v' })
      await beneath.compareAndSet(key, undefined, (await beneath.read('resource/a/b/good'))!.value)
      await ask('DELETE', 'a/b/good', user('ada'))
    },
  ]
  for (const act of spoil) {
    for (const method of ['PUT', 'DELETE'] as const) {
      await act('resource/a/b/c')
      await assert.rejects(
        ask('GET', 'a/b/c', guest()),
        (error: unknown) => problemOf(error, problems).status === 500,
      )
      await assert.rejects(ask('POST', 'a/b/c', user('rae')), failsWith('RESOURCE_FORBIDDEN'))
      await ask(method, 'a/b/c', user('ada'), { body: 'again' })
      if (method === 'DELETE') continue
      assert.equal(await told(ask('GET', 'a/b/c', guest())), 'again')
      await ask('DELETE', 'a/b/c', user('ada'))
    }
  }
})

test('nothing secret is in an error, and callers are told less than the log', async () => {
  const { ask, beneath } = world()
  const secret = 'planted-secret'
  await beneath.compareAndSet('resource/a/b/plain', undefined, bytes(secret))
  await ask('POST', 'a/b/c', user('ada'), { body: secret })
  const large = Buffer.alloc(secretLimits.valueBytes + 1, secret)
  const query = { token: secret }
  const acts: [act: () => Promise<unknown>, status: number, variant: string][] = [
    [() => ask('GET', 'a/b/plain', guest(), { query }), 500, 'PluginInternalError'],
    [() => ask('GET', 'a/b/none', guest({ key: secret }), { query }), 404, 'PluginInternalError'],
    [() => ask('GET', `../b/${secret}`, guest(), { query }), 404, 'InvalidRequestPath'],
    [() => ask('POST', 'a/b/c', guest(), { body: secret, query }), 403, 'PolicyDeny'],
    [() => ask('POST', 'a/b/c', user('ada'), { body: large, query }), 413, 'PluginInternalError'],
    [() => ask('GET', 'edge/b/c', guest({ site: `${secret}/x` }), { query }), 403, 'PolicyDeny'],
    [() => ask('PUT', '', user('ada'), { body: secret, query }), 405, 'PluginInternalError'],
    [() => ask('GET', '', user('ada'), { query: { limit: secret } }), 400, 'PluginInternalError'],
  ]
  for (const [act, status, variant] of acts) {
    const error = await act().then(
      () => assert.fail('it should fail'),
      (reason: unknown) => reason,
    )
    assert.ok(isFailure(error))
    assert.ok(!`${inspect(error, { depth: 10 })} ${error.stack} ${JSON.stringify(error)}`.includes(secret))
    const problem = problemOf(error, problems)
    assert.deepEqual([problem.status, problem.variant], [status, variant])
    assert.ok(!/main|sites|sealed|key/.test(problem.detail), 'no word of stores or seals')
  }
  assert.equal(problemOf(new TypeError(secret), problems).status, 500)
  for (const code of Object.keys(codes)) {
    const isOperators = code === 'RESOURCE_CONFIGURATION_INVALID'
    assert.equal(problemOf(new SealiftError(code, ''), problems).status === 500, isOperators, code)
  }
})

test('a plugin needs every store of its configuration', () => {
  const options = { configuration, stores: new Map<string, SecretStore>(), rolesOf: () => [] }
  assert.throws(() => resourcePlugin(options), failsWith('RESOURCE_CONFIGURATION_INVALID'))
})
