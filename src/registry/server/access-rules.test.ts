import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { hashSync } from 'bcryptjs'
import { openDataDirectory, type Repositories } from '#content/index.ts'
import type { AccessRecord } from './access-records.ts'
import type { RegistryServerOptions } from './options.ts'
import { codeOf, manifestOf, raw, get as rawGet, start, statusOf, stored } from './server.suite.ts'

const names = ['olga', 'ada', 'carl', 'eve'] as const
type Who = (typeof names)[number] | 'stranger'
const passwords = names.map((name) => `${name}:${hashSync(name, 4)}\n`).join('')
const rules = `
version: 1
grants:
  - { role: owner, to: [user:olga], repositories: ["**"] }
  - { role: releaser, to: [user:ada], repositories: [shop/*] }
  - { role: courier, to: [user:carl], repositories: [shop/web, vault/*] }
  - { role: operator, to: [anonymous], repositories: [public/*] }
`

async function ruled(options: Partial<RegistryServerOptions> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-access-'))
  const path = (name: string) => join(folder, name)
  await writeFile(path('users'), passwords)
  await writeFile(path('access.yaml'), rules)
  const records: AccessRecord[] = []
  const started = await start({
    htpasswd: { path: path('users') },
    accessRules: { path: path('access.yaml') },
    onAccess: async (record) => void records.push(record),
    ...options,
  })
  const ask = (who: Who, method: string, target: string, body?: Uint8Array<ArrayBuffer>) =>
    fetch(started.url + target, {
      method,
      ...(who !== 'stranger' && { headers: { authorization: `Basic ${btoa(`${who}:${who}`)}` } }),
      ...(body && { body }),
    })
  return {
    ...started,
    records,
    ask,
    status: async (...question: Parameters<typeof ask>) => (await ask(...question)).status,
    change: (text: string) => writeFile(path('access.yaml'), text),
    async [Symbol.asyncDispose]() {
      await started[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    },
  }
}

/** The same image, a config and a manifest under the tag `1`, in each repository. */
async function fill(repositories: Repositories, ...into: readonly string[]) {
  const bytes = Buffer.from('{"architecture":"amd64"}')
  for (const name of into) {
    const config = await stored(repositories, name, Buffer.from(bytes))
    const manifest = await stored(
      repositories,
      name,
      manifestOf(config),
      'application/vnd.oci.image.manifest.v1+json',
    )
    await (await repositories.create!(name)).tag(manifest, '1')
  }
}

const someDigest = 'sha256:8ea6f9eddc5ad47d8a9e5ec5d1f3c9e9d4b4b5d9f6b9b8a1b2d2ed4b4ad3d9a2'

test('who may do what over HTTP: a table', async () => {
  await using started = await ruled()
  await fill(started.repositories, 'shop/web', 'shop/db', 'vault/keys', 'public/os', 'shop')
  const manifest = new Uint8Array(
    manifestOf(await stored(started.repositories, 'shop/web', Buffer.from('{}'))),
  )
  const table: readonly [Who, string, string, number][] = [
    ['stranger', 'GET', '/v2/public/os/manifests/1', 200],
    ['stranger', 'GET', '/v2/public/os/tags/list', 200],
    ['stranger', 'GET', '/v2/shop/web/manifests/1', 401],
    ['stranger', 'HEAD', '/v2/shop/web/manifests/1', 401],
    ['stranger', 'GET', '/v2/nothing/here/manifests/1', 401],
    ['stranger', 'PUT', '/v2/public/os/manifests/2', 401],
    ['eve', 'GET', '/v2/public/os/manifests/1', 200],
    ['eve', 'GET', '/v2/shop/web/manifests/1', 403],
    ['eve', 'GET', '/v2/shop/web/tags/list', 403],
    ['eve', 'GET', `/v2/shop/web/referrers/${someDigest}`, 403],
    ['eve', 'GET', `/v2/shop/web/blobs/${someDigest}`, 403],
    ['eve', 'GET', '/v2/nothing/here/manifests/1', 403],
    ['carl', 'GET', '/v2/shop/web/manifests/1', 200],
    ['carl', 'GET', '/v2/shop/db/manifests/1', 403],
    ['carl', 'PUT', '/v2/shop/web/manifests/2', 403],
    ['carl', 'POST', '/v2/shop/web/blobs/uploads/', 403],
    ['carl', 'GET', '/v2/vault/nothing/manifests/1', 404],
    ['ada', 'GET', '/v2/shop/db/tags/list', 200],
    ['ada', 'GET', '/v2/shop/tags/list', 403],
    ['ada', 'PUT', '/v2/shop/web/manifests/2', 201],
    ['ada', 'DELETE', '/v2/shop/web/manifests/2', 403],
    ['ada', 'GET', '/v2/vault/keys/manifests/1', 403],
    ['olga', 'DELETE', '/v2/shop/web/manifests/2', 202],
    ['olga', 'GET', '/v2/vault/keys/manifests/1', 200],
  ]
  for (const [who, method, target, expected] of table) {
    const body = method === 'PUT' ? manifest : undefined
    const reply = await started.ask(who, method, target, body)
    assert.equal(reply.status, expected, `${who} ${method} ${target}`)
    if (expected === 403 && method !== 'HEAD') assert.equal(await codeOf(reply), 'DENIED')
    else await reply.arrayBuffer()
  }
})

test('the catalog shows what one may list, page by page', async () => {
  await using started = await ruled()
  await fill(started.repositories, 'a', 'public/os', 'public/tools', 'shop/db', 'shop/web', 'vault/keys', 'z')
  const catalog = async (who: Who, query = '') => {
    const reply = await started.ask(who, 'GET', `/v2/_catalog${query}`)
    return {
      names: ((await reply.json()) as { repositories: string[] }).repositories,
      link: reply.headers.get('link'),
    }
  }
  assert.deepEqual((await catalog('stranger')).names, ['public/os', 'public/tools'])
  assert.deepEqual((await catalog('carl')).names, ['public/os', 'public/tools', 'shop/web', 'vault/keys'])
  assert.equal((await catalog('olga')).names.length, 7)
  const first = await catalog('carl', '?n=3')
  assert.deepEqual(first.names, ['public/os', 'public/tools', 'shop/web'])
  assert.match(first.link ?? '', /last=shop%2Fweb/)
  const second = await catalog('carl', '?n=3&last=shop/web')
  assert.deepEqual([second.names, second.link], [['vault/keys'], null])
  await started.change('{version: 1, grants: []}')
  await started.server.reload()
  assert.equal(await started.status('stranger', 'GET', '/v2/_catalog'), 401)
  assert.deepEqual((await catalog('carl')).names, [])
})

test('no way of writing a path leads around the rules', async () => {
  await using started = await ruled()
  await fill(started.repositories, 'shop/web', 'public/os', 'vault/keys')
  const targets = [
    '/v2/public/../shop/web/manifests/1',
    '/v2/public/%2e%2e/shop/web/manifests/1',
    '/v2/public/..%2fshop%2fweb/manifests/1',
    '/v2/public%2fos/manifests/1',
    '/v2/shop%2fweb/manifests/1',
    '/v2/Public/os/manifests/1',
    '/v2/public//os/manifests/1',
    '/v2/public/os/../../shop/web/manifests/1',
    '/v2//shop/web/manifests/1',
    '/v2/%73hop/web/manifests/1',
    '/v2/shop/web/manifests/1?ns=public',
    '/v2/shop/web/manifests/1?ns=public/os',
    '/v2/web/manifests/1?ns=shop',
    '/v2/shop/web/manifests/1#/public/os',
    'http://x/v2/shop/web/manifests/1',
  ]
  for (const target of targets) {
    const status = statusOf(await raw(started.port, rawGet(target)))
    assert.ok([400, 401, 404].includes(status), `${target} ${status}`)
  }
  assert.deepEqual(started.records, [])
})

test('a mount needs the right to pull from its source, or from everywhere', async () => {
  await using started = await ruled()
  const { digest } = await stored(started.repositories, 'vault/keys', Buffer.from('the keys of the vault'))
  await stored(started.repositories, 'shop/db', Buffer.from('the keys of the vault'))
  const mount = (who: Who, into: string, from?: string) =>
    started.status(who, 'POST', `/v2/${into}/blobs/uploads/?mount=${digest}${from ? `&from=${from}` : ''}`)
  assert.equal(await mount('ada', 'shop/web', 'vault/keys'), 202, 'not mounted: the bytes have to be pushed')
  assert.equal(await mount('ada', 'shop/web'), 202)
  assert.equal(await started.status('ada', 'GET', `/v2/shop/web/blobs/${digest}`), 404)
  assert.equal(await mount('ada', 'shop/web', 'shop/db'), 201)
  assert.equal(await started.status('ada', 'GET', `/v2/shop/web/blobs/${digest}`), 200)
  assert.equal(await mount('carl', 'shop/web', 'vault/keys'), 403)
  assert.equal(await mount('olga', 'other/place'), 201)
  const told = started.records.map(({ verb, repository, allowed }) => `${verb} ${repository} ${allowed}`)
  assert.deepEqual(told, [
    'pull vault/keys false',
    'pull * false',
    'pull shop/db true',
    'pull shop/web true',
    'push shop/web false',
    'pull * true',
  ])
})

test('a manifest that names what is in another repository does not bring it in', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-data-'))
  try {
    await using started = await ruled({ repositories: await openDataDirectory(folder) })
    const secret = await stored(started.repositories, 'vault/keys', Buffer.from('the keys of the vault'))
    const naming = new Uint8Array(manifestOf(secret))
    assert.equal(await started.status('ada', 'PUT', '/v2/shop/web/manifests/1', naming), 201)
    assert.equal(await started.status('ada', 'GET', `/v2/shop/web/blobs/${secret.digest}`), 404)
    assert.equal(await started.status('ada', 'HEAD', `/v2/shop/web/blobs/${secret.digest}`), 404)
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('a changed file of rules holds at once; a broken one leaves the old in force', async () => {
  await using started = await ruled()
  await fill(started.repositories, 'shop/web')
  const status = () => started.status('eve', 'GET', '/v2/shop/web/manifests/1')
  assert.equal(await status(), 403)
  await started.change('version: 1\ngrants: [{role: operator, to: ["*"], repositories: [shop/web]}]')
  await started.server.reload()
  assert.equal(await status(), 200)
  for (const broken of [
    'version: 1\ngrants: [{role: king, to: ["*"], repositories: ["**"]}]',
    `#${'x'.repeat(1024 * 1024)}`,
  ]) {
    await started.change(broken)
    await started.server.reload()
    assert.equal(await status(), 200)
  }
  const told = started.events.filter(({ event }) => event === 'reloaded').map(({ level }) => level)
  assert.deepEqual(told, ['info', 'error', 'error'])
})

test('a server does not begin with rules that are broken', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-access-'))
  const path = join(folder, 'access.yaml')
  await writeFile(path, 'version: 1')
  await assert.rejects(start({ accessRules: { path } }), { code: 'ACCESS_RULES_INVALID' })
  await rm(folder, { recursive: true })
})

test('every reading of protected content is on record with its digest before its first byte', async () => {
  const records: AccessRecord[] = []
  const { promise: gate, resolve: release } = Promise.withResolvers<void>()
  await using started = await ruled({
    onAccess: async (record) => {
      records.push(record)
      await gate
    },
  })
  await fill(started.repositories, 'shop/web', 'public/os')
  let isAnswered = false
  const asked = started.ask('carl', 'GET', '/v2/shop/web/manifests/1').then((reply) => {
    isAnswered = true
    return reply
  })
  assert.equal(
    (await started.ask('stranger', 'GET', '/v2/public/os/manifests/1')).status,
    200,
    'nobody waits for these',
  )
  assert.ok(!isAnswered)
  release()
  const reply = await asked
  const digest = reply.headers.get('docker-content-digest')!
  const byRepository = (name: string) => records.find(({ repository }) => repository === name)
  const { remoteAddress: _, ...record } = byRepository('shop/web')!
  assert.deepEqual(record, {
    principal: { kind: 'user', name: 'carl' },
    verb: 'pull',
    repository: 'shop/web',
    reference: '1',
    digest,
    allowed: true,
  })
  assert.equal(byRepository('public/os')?.principal.kind, 'anonymous')
  const count = records.length
  for (const [method, target] of [
    ['HEAD', 'manifests/1'],
    ['GET', 'tags/list'],
    ['GET', 'manifests/none'],
  ] as const) {
    await started.ask('carl', method, `/v2/shop/web/${target}`)
  }
  assert.equal(records.length, count, 'no bytes of content: no reading')
  const part = await fetch(`${started.url}/v2/shop/web/manifests/1`, {
    headers: { 'if-none-match': '*', authorization: `Basic ${btoa('carl:carl')}` },
  })
  assert.deepEqual([part.status, records.length], [304, count])
})

test('what cannot be recorded does not happen, unless it is public', async () => {
  await using started = await ruled({ onAccess: () => Promise.reject(new Error('the disk is full')) })
  await fill(started.repositories, 'shop/web', 'public/os')
  const refused = await started.ask('carl', 'GET', '/v2/shop/web/manifests/1')
  assert.equal(refused.status, 500)
  assert.doesNotMatch(await refused.text(), /disk|amd64/)
  assert.equal(await started.status('olga', 'DELETE', '/v2/shop/web/manifests/1'), 500)
  assert.equal(await started.status('olga', 'HEAD', '/v2/shop/web/manifests/1'), 200, 'it is still there')
  const body = new Uint8Array(manifestOf(await stored(started.repositories, 'shop/web', Buffer.from('{}'))))
  assert.equal(await started.status('ada', 'PUT', '/v2/shop/web/manifests/new', body), 500)
  assert.equal(await started.status('olga', 'HEAD', '/v2/shop/web/manifests/new'), 404)
  assert.equal(await started.status('stranger', 'GET', '/v2/public/os/manifests/1'), 200)
  await started.event((event) => event.event === 'failure' && event.route === 'access record')
})

test('records of public readings are waited for where too many wait, and at the end', async () => {
  let kept = 0
  const started = await ruled({
    limits: { accessRecords: 2 },
    onAccess: async () => {
      await new Promise((resolve) => setTimeout(resolve, 50))
      kept++
    },
  })
  await fill(started.repositories, 'public/os')
  const read = () => started.status('stranger', 'GET', '/v2/public/os/manifests/1')
  await read()
  await read()
  assert.equal(kept, 0)
  await read()
  assert.ok(kept > 0, 'the third reader waits')
  await started.server.close()
  assert.equal(kept, 3)
  await started[Symbol.asyncDispose]()
})

test('whoever judges content is told the roles', async () => {
  const told: unknown[] = []
  await using started = await ruled({
    admission: async ({ principal, roles, name }) => {
      told.push([principal.name, name, roles])
      return { allowed: name !== 'shop/web', reason: 'unsigned' }
    },
  })
  await fill(started.repositories, 'shop/web', 'vault/keys')
  assert.equal(await started.status('carl', 'GET', '/v2/vault/keys/manifests/1'), 200)
  assert.equal(await started.status('ada', 'GET', '/v2/shop/web/manifests/1'), 403)
  assert.deepEqual(told, [
    ['carl', 'vault/keys', ['courier']],
    ['ada', 'shop/web', ['releaser']],
  ])
  assert.deepEqual(
    started.records.map(({ repository }) => repository),
    ['vault/keys'],
    'what is not admitted is not read',
  )
})

test('a mirror that is asked by its whole name first refuses, and records, only what it does not serve', async () => {
  await using started = await ruled()
  await fill(started.repositories, 'shop/web', 'docker.io/library/os')
  assert.equal(await started.status('carl', 'GET', '/v2/shop/web/manifests/1?ns=docker.io'), 200)
  assert.equal(await started.status('carl', 'GET', '/v2/library/os/manifests/1?ns=docker.io'), 403)
  const told = started.records.map(({ repository, allowed }) => `${repository} ${allowed}`)
  assert.deepEqual(told, ['shop/web true', 'library/os false'])
})
