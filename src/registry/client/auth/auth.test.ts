import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesReader, copy, MemoryStore } from '#content/index.ts'
import { digestOf, mediaTypes } from '#oci/index.ts'
import { FakeRegistry, send } from '../../../../test/support/fake-registry.ts'
import { putImage, seededBytes } from '../../../../test/support/random-image.ts'
import { quickClient, readAll } from '../../../../test/support/registry-client.ts'
import type { Credential } from '../credentials/credential.ts'

const account = { username: 'anna', password: 'secret: with colon' }
const basic = `Basic ${Buffer.from(`${account.username}:${account.password}`).toString('base64')}`

/** A token server and the registry that believes it: tokens are `SCOPES#serial`. */
async function tokenRegistry(options: { expiresIn?: number; refresh?: string } = {}) {
  const registry = await FakeRegistry.start()
  const server = await FakeRegistry.start()
  let serial = 0
  const valid = new Set<string>()
  server.intercept = (request, response) => {
    const url = new URL(request.url, 'http://x')
    const form = new URLSearchParams(request.body.toString())
    const anonymous = request.method === 'GET' && request.headers.authorization === undefined
    const known =
      request.headers.authorization === basic ||
      (options.refresh !== undefined && form.get('refresh_token') === options.refresh)
    if (!known && !anonymous) return send(response, 401)
    const scopes =
      request.method === 'GET' ? url.searchParams.getAll('scope') : (form.get('scope') ?? '').split(' ')
    const granted = anonymous ? scopes.map((scope) => scope.replace(',push', '')) : scopes
    const token = `${Buffer.from(granted.join(' ')).toString('base64url')}.${serial++}`
    valid.add(token)
    const body = { token, ...(options.expiresIn !== undefined && { expires_in: options.expiresIn }) }
    return send(response, 200, { 'content-type': 'application/json' }, JSON.stringify(body))
  }
  const needs = (request: { method: string; url: string }) => {
    const repository = /^\/v2\/(.+?)\/(?:blobs|manifests|tags|referrers)\//.exec(request.url)?.[1]
    const from = new URL(request.url, 'http://x').searchParams.get('from')
    const actions = request.method === 'GET' || request.method === 'HEAD' ? 'pull' : 'pull,push'
    return [
      ...(repository ? [`repository:${repository}:${actions}`] : []),
      ...(from ? [`repository:${from}:pull`] : []),
    ]
  }
  registry.intercept = (request, response) => {
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
    const granted = valid.has(token)
      ? Buffer.from(token.split('.')[0]!, 'base64url').toString().split(' ')
      : []
    const missing = needs(request).some(
      (need) => !granted.some((scope) => scope === need || scope === need.replace(':pull', ':pull,push')),
    )
    if (valid.has(token) && !missing) return false
    const scope = needs(request).join(' ')
    const challenge = `Bearer realm="http://${server.host}/token?tenant=1",service="reg istry",scope="${scope}"`
    return send(response, 401, { 'www-authenticate': challenge })
  }
  return { registry, server, valid }
}

test('Basic credentials are sent once they are asked for, and never shown', async () => {
  await using registry = await FakeRegistry.start()
  registry.intercept = (request, response) =>
    request.headers.authorization !== basic &&
    send(response, 401, { 'www-authenticate': 'Basic realm="r", Negotiate' })
  registry.addBlob('a', Buffer.from('x'))
  const content = registry.addBlob('a', Buffer.from('x'))
  await using client = quickClient({ credentials: async () => account }).client
  const repository = client.repository({ registry: registry.host, repository: 'a' })
  assert.equal(await repository.has(content), true)
  assert.equal(await repository.has(content), true)
  assert.deepEqual(
    registry.seen.map(({ headers }) => headers.authorization),
    [undefined, basic, basic],
  )

  for (const credential of [undefined, { ...account, password: 'wrong-secret' }, { username: 'only' }] as (
    | Credential
    | undefined
  )[]) {
    await using other = quickClient({ credentials: async () => credential }).client
    await assert.rejects(
      other.repository({ registry: registry.host, repository: 'a' }).has(content),
      (error: Error & { code: string }) => {
        assert.equal(error.code, 'REGISTRY_UNAUTHORIZED')
        assert.ok(error.message.includes(registry.host))
        assert.doesNotMatch(JSON.stringify([error, error.message, error.stack]), /secret/)
        return true
      },
    )
  }
})

test('tokens are fetched per scope, shared by requests at once, and kept until they expire', async () => {
  const { registry, server } = await tokenRegistry({ expiresIn: 100 })
  await using _ = registry
  await using __ = server
  let nowMs = 1_000_000
  await using client = quickClient({ credentials: async () => account, now: () => nowMs }).client
  const contents = Array.from({ length: 10 }, (___, at) => registry.addBlob('a/b', Buffer.from(`${at}`)))
  const repository = client.repository({ registry: registry.host, repository: 'a/b' })
  await Promise.all(contents.map((content) => repository.has(content)))
  assert.equal(server.seen.length, 1)
  const url = new URL(server.seen[0]!.url, 'http://x')
  assert.deepEqual(Object.fromEntries(url.searchParams), {
    tenant: '1',
    service: 'reg istry',
    scope: 'repository:a/b:pull',
    account: 'anna',
  })
  nowMs += 89_000
  await repository.has(contents[0]!)
  assert.equal(server.seen.length, 1)
  nowMs += 2000
  await Promise.all(contents.map((content) => repository.has(content)))
  assert.equal(server.seen.length, 2, 'a token is renewed before its time is over, once')
})

test('a push asks for push, a mount for pull on the neighbour as well', async () => {
  const { registry, server } = await tokenRegistry()
  await using _ = registry
  await using __ = server
  await using client = quickClient({ credentials: async () => account }).client
  const store = new MemoryStore()
  const root = await putImage(store, 'scoped', [1000, 2_000_000])
  const one = client.repository({ registry: registry.host, repository: 'one' })
  const two = client.repository({ registry: registry.host, repository: 'two' })
  await copy(root, store, one, { tags: ['v1'] })
  const second = await copy(root, store, two, { tags: ['v1'] })
  assert.equal(second.mounted.items, 3)
  const scopes = new Set(
    server.seen.map(({ url }) => new URL(url, 'http://x').searchParams.getAll('scope').join(' ')),
  )
  assert.ok(scopes.has('repository:one:pull,push'))
  assert.ok(scopes.has('repository:two:pull,push repository:one:pull'))
})

test('a token that is refused before its time is replaced, also in the middle of a push', async () => {
  const { registry, server, valid } = await tokenRegistry()
  await using _ = registry
  await using __ = server
  await using client = quickClient({ credentials: async () => account }).client
  const bytes = seededBytes('revoked', 2_000_000)
  const content = { mediaType: mediaTypes.octets, digest: digestOf(bytes), size: bytes.length }
  let revoked = false
  const check = registry.intercept
  registry.intercept = (request, response, raw) => {
    if (request.method === 'PATCH' && !revoked) {
      revoked = true
      valid.clear()
    }
    return check(request, response, raw)
  }
  const repository = client.repository({ registry: registry.host, repository: 'a' })
  await repository.write(content, async (offset) => bytesReader(bytes.subarray(offset)))
  assert.equal(revoked, true)
  assert.ok(registry.blobs.has(`a@${content.digest}`))
})

test('an identity token goes to the token server by POST, a registry token straight to the registry', async () => {
  const { registry, server, valid } = await tokenRegistry({ refresh: 'my-refresh' })
  await using _ = registry
  await using __ = server
  const content = registry.addBlob('a', Buffer.from('x'))
  await using client = quickClient({ credentials: async () => ({ identityToken: 'my-refresh' }) }).client
  assert.equal(await client.repository({ registry: registry.host, repository: 'a' }).has(content), true)
  const form = Object.fromEntries(new URLSearchParams(server.seen[0]!.body.toString()))
  assert.deepEqual(
    [form.grant_type, form.service, form.scope],
    ['refresh_token', 'reg istry', 'repository:a:pull'],
  )

  await using other = quickClient({ credentials: async () => ({ registryToken: [...valid][0]! }) }).client
  assert.equal(await other.repository({ registry: registry.host, repository: 'a' }).has(content), true)
  assert.equal(server.seen.length, 1)
})

test('a token server that takes no GET is asked by POST with the password', async () => {
  await using registry = await FakeRegistry.start()
  await using server = await FakeRegistry.start()
  server.intercept = (request, response) => {
    if (request.method === 'GET') return send(response, 405)
    assert.match(request.body.toString(), /grant_type=password&username=anna&password=secret/)
    return send(response, 200, {}, '{"access_token":"good"}')
  }
  registry.intercept = (request, response) =>
    request.headers.authorization !== 'Bearer good' &&
    send(response, 401, { 'www-authenticate': `Bearer realm="http://${server.host}/"` })
  const content = registry.addBlob('a', Buffer.from('x'))
  await using client = quickClient({ credentials: async () => account }).client
  assert.equal(await client.repository({ registry: registry.host, repository: 'a' }).has(content), true)
})

test('whatever a token server or challenge does, it ends in a typed failure', async () => {
  await using registry = await FakeRegistry.start()
  await using server = await FakeRegistry.start()
  const content = registry.addBlob('a', Buffer.from('x'))
  const realm = `Bearer realm="http://${server.host}/token"`
  const cases: [string, string | undefined, [number, Record<string, string>, string]][] = [
    ['REGISTRY_UNAUTHORIZED', realm, [401, {}, '']],
    ['REGISTRY_UNAUTHORIZED', realm, [403, {}, '']],
    ['REGISTRY_BUSY', realm, [429, {}, '']],
    ['REGISTRY_FAILED', realm, [500, {}, '']],
    ['REGISTRY_TOKEN_INVALID', realm, [302, { location: 'http://127.0.0.1:1/' }, '']],
    ['REGISTRY_ANSWER_INVALID', realm, [200, {}, '<html>']],
    ['REGISTRY_ANSWER_INVALID', realm, [200, {}, '']],
    ['REGISTRY_TOKEN_INVALID', realm, [200, {}, '{}']],
    ['REGISTRY_TOKEN_INVALID', realm, [200, {}, '{"token":"a\\r\\nx: y"}']],
    ['REGISTRY_TOKEN_INVALID', realm, [200, {}, '{"token":{"toString":1}}']],
    ['REGISTRY_ANSWER_INVALID', realm, [200, {}, `{"token":"${'x'.repeat(100_000)}"}`]],
    // The registry never likes the token: it is asked for twice, not for ever.
    ['REGISTRY_UNAUTHORIZED', realm, [200, {}, '{"token":"t"}']],
    ['REGISTRY_UNAUTHORIZED', undefined, [200, {}, '']],
    ['REGISTRY_UNAUTHORIZED', 'Negotiate', [200, {}, '']],
    ['REGISTRY_ANSWER_INVALID', 'Bearer realm="', [200, {}, '']],
    ['REGISTRY_ANSWER_INVALID', 'Bearer service=x', [200, {}, '']],
    ['REGISTRY_ANSWER_INVALID', 'Bearer realm="http://user:password@127.0.0.1/"', [200, {}, '']],
    ['REGISTRY_PLAIN_HTTP', 'Bearer realm="http://auth.example/token"', [200, {}, '']],
    ['REGISTRY_PLAIN_HTTP', 'Bearer realm="file:///etc/passwd"', [200, {}, '']],
  ]
  for (const [code, challenge, [status, headers, body]] of cases) {
    await using client = quickClient({ credentials: async () => account, limits: { retries: 1 } }).client
    registry.intercept = (_request, response) =>
      send(response, 401, challenge === undefined ? {} : { 'www-authenticate': challenge })
    server.intercept = (_request, response) => send(response, status, headers, body)
    server.seen.length = 0
    await assert.rejects(
      client.repository({ registry: registry.host, repository: 'a' }).has(content),
      { code },
      `${challenge} ${status} ${body.slice(0, 40)}`,
    )
    assert.ok(server.seen.length <= 2)
  }
})

test('credentials stay with their host: redirects go without them', async () => {
  await using registry = await FakeRegistry.start()
  await using storage = await FakeRegistry.start()
  const bytes = seededBytes('redirected', 2_000_000)
  const content = registry.addBlob('a', bytes)
  storage.addBlob('a', bytes)
  registry.intercept = (request, response) => {
    if (request.headers.authorization !== basic)
      return send(response, 401, { 'www-authenticate': 'Basic realm=r' })
    return send(response, 307, { location: `http://${storage.host}${request.url}?X-Signature=abc` })
  }
  await using client = quickClient({ credentials: async () => account }).client
  const repository = client.repository({ registry: registry.host, repository: 'a' })
  assert.ok(bytes.equals(await readAll(await repository.open(content))))
  const part = await readAll(await repository.open(content, { offset: 5, length: 100 }))
  assert.ok(part.equals(bytes.subarray(5, 105)))
  assert.ok(storage.seen.length >= 2)
  assert.ok(storage.seen.every(({ headers }) => headers.authorization === undefined))
  assert.equal(storage.seen.at(-1)?.headers.range, 'bytes=5-104')

  // A 401 over there is no reason to send them either; and what it signs is not repeated in an error.
  storage.intercept = (_request, response) =>
    send(response, 401, { 'www-authenticate': 'Basic realm=storage' })
  await assert.rejects(repository.open(content), (error: Error & { code: string }) => {
    assert.equal(error.code, 'REGISTRY_UNAUTHORIZED')
    assert.doesNotMatch(error.message, /Signature/)
    return true
  })
  assert.ok(storage.seen.every(({ headers }) => headers.authorization === undefined))
})

test('redirects are followed so often and not more, and never to where it is not safe', async () => {
  await using registry = await FakeRegistry.start()
  const content = registry.addBlob('a', Buffer.from('x'))
  await using client = quickClient({ limits: { redirects: 3 } }).client
  const repository = client.repository({ registry: registry.host, repository: 'a' })
  for (const [hops, ends] of [
    [3, true],
    [4, false],
  ] as const) {
    let left: number = hops
    registry.intercept = (request, response) => left-- > 0 && send(response, 302, { location: request.url })
    if (ends) assert.equal(await repository.has(content), true)
    else await assert.rejects(repository.has(content), { code: 'REGISTRY_REDIRECT_REFUSED' })
  }
  for (const location of [
    'file:///etc/passwd',
    'ftp://x/',
    'http://registry.example/',
    'http://a:b@127.0.0.1/',
    'http://[',
    undefined,
  ]) {
    registry.intercept = (_request, response) =>
      send(response, 302, location === undefined ? {} : { location })
    await assert.rejects(repository.has(content), { code: 'REGISTRY_REDIRECT_REFUSED' }, location)
  }
  registry.intercept = (request, response) =>
    request.method === 'POST' && send(response, 302, { location: '/elsewhere' })
  const bytes = Buffer.from('yyy')
  await assert.rejects(
    repository.write({ mediaType: mediaTypes.octets, digest: digestOf(bytes), size: 3 }, async () =>
      bytesReader(bytes),
    ),
    { code: 'REGISTRY_REDIRECT_REFUSED' },
  )
})
