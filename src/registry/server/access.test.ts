import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { hashSync } from 'bcryptjs'
import type { AccessRequest } from './access.ts'
import type { RegistryServerOptions } from './options.ts'
import { codeOf, manifestOf, start, stored } from './server.suite.ts'

const secret = 'correct horse'
const basic = (user: string, password: string) => `Basic ${btoa(`${user}:${password}`)}`

/** A server with a password file of its own, which can be written anew. */
async function guarded(options: Partial<RegistryServerOptions> = {}, anonymousPull = false) {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-htpasswd-'))
  const path = join(folder, 'htpasswd')
  const write = (user: string, password: string) => writeFile(path, `${user}:${hashSync(password, 4)}\n`)
  await write('ada', secret)
  const started = await start({ ...options, htpasswd: { path, anonymousPull } })
  return {
    ...started,
    write,
    async [Symbol.asyncDispose]() {
      await started[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    },
  }
}

test('with passwords: users may do all, others nothing, and a challenge tells them how', async () => {
  await using started = await guarded()
  await stored(started.repositories, 'a', Buffer.from('{}'))
  const get = (path: string, authorization?: string) =>
    fetch(started.url + path, authorization ? { headers: { authorization } } : {})
  for (const path of ['/v2/', '/v2/a/tags/list', '/v2/_catalog', '/v2/never/made/tags/list']) {
    for (const wrong of [undefined, basic('ada', 'wrong'), basic('eve', secret), 'Bearer x', 'Basic !']) {
      const reply = await get(path, wrong)
      assert.equal(reply.status, 401, `${path} ${wrong}`)
      assert.match(reply.headers.get('www-authenticate') ?? '', /^Basic realm=/)
      assert.equal(await codeOf(reply), 'UNAUTHORIZED')
    }
  }
  assert.equal((await get('/v2/', basic('ada', secret))).status, 200)
  assert.equal((await get('/v2/a/tags/list', basic('ada', secret))).status, 200)
  assert.equal((await get('/healthz')).status, 200)
})

test('pulling without a password, where that is wished; a wrong one is still wrong', async () => {
  await using started = await guarded({}, true)
  const { digest } = await stored(started.repositories, 'a', Buffer.from('{}'))
  const path = `${started.url}/v2/a/blobs/${digest}`
  assert.equal((await fetch(path)).status, 200)
  assert.equal((await fetch(path, { headers: { authorization: basic('ada', 'wrong') } })).status, 401)
  const nobody = { headers: { authorization: basic('', '') } }
  assert.equal((await fetch(path, nobody)).status, 200, 'as skopeo answers a challenge without a password')
  assert.equal((await fetch(`${started.url}/v2/`, nobody)).status, 401)
  assert.equal((await fetch(path, { method: 'DELETE', ...nobody })).status, 401)
  assert.equal((await fetch(path, { method: 'DELETE' })).status, 401)
  assert.equal((await fetch(`${started.url}/v2/a/blobs/uploads/`, { method: 'POST' })).status, 401)
  assert.equal((await fetch(`${started.url}/v2/_catalog`)).status, 401)
  assert.equal((await fetch(`${started.url}/v2/`)).status, 401, 'or clients would not learn how to push')
})

test('a changed password file holds at once; a broken one leaves the old in force', async () => {
  await using started = await guarded()
  const status = async (password: string) =>
    (await fetch(`${started.url}/v2/`, { headers: { authorization: basic('ada', password) } })).status
  assert.equal(await status(secret), 200)
  await started.write('ada', 'another')
  await started.server.reload()
  assert.deepEqual([await status(secret), await status('another')], [401, 200])
  await started.write('a:b', 'x')
  await started.server.reload()
  assert.equal(await status('another'), 200)
  const told = started.events.filter(({ event }) => event === 'reloaded').map(({ level }) => level)
  assert.deepEqual(told, ['info', 'error'])
})

test('no secret is in the log or in any answer', async () => {
  await using started = await guarded()
  await (
    await fetch(`${started.url}/v2/?token=${secret}`, { headers: { authorization: basic('ada', secret) } })
  ).text()
  const refused = await fetch(`${started.url}/v2/a/tags/list`, {
    headers: { authorization: basic('ada', `not ${secret}`) },
  })
  const answer = await refused.text()
  await started.event((event) => event.event === 'request' && event.status === 401)
  const log = JSON.stringify(started.events)
  for (const text of [answer, log]) {
    assert.ok(!text.includes(secret) && !text.includes(btoa(secret)) && !text.includes('token'))
  }
  assert.match(log, /"user":"ada"/)
})

test('whoever decides is asked about everything, and is obeyed', async () => {
  const asked: AccessRequest[] = []
  await using started = await start({
    access: async (request) => {
      asked.push(request)
      return request.repository === 'open'
        ? { allowed: true }
        : { allowed: false, reason: 'the gate is shut' }
    },
  })
  const config = await stored(started.repositories, 'open', Buffer.from('{}'))
  await stored(started.repositories, 'shut', Buffer.from('secret layer'))
  const ask = async (method: string, path: string, body?: Buffer) => {
    asked.length = 0
    const reply = await fetch(started.url + path, { method, ...(body && { body: new Uint8Array(body) }) })
    return [
      reply.status,
      ...asked.map(({ verb, repository, reference }) => `${verb} ${repository} ${reference ?? ''}`),
    ]
  }
  const blob = `blobs/${config.digest}`
  assert.deepEqual(await ask('GET', `/v2/open/${blob}`), [200, `pull open ${config.digest}`])
  assert.deepEqual(await ask('HEAD', `/v2/shut/${blob}`), [401, `pull shut ${config.digest}`])
  assert.deepEqual(await ask('PUT', '/v2/open/manifests/t', manifestOf(config)), [201, 'push open t'])
  assert.deepEqual(await ask('PUT', '/v2/shut/manifests/t', manifestOf(config)), [401, 'push shut t'])
  assert.deepEqual(await ask('DELETE', '/v2/shut/manifests/t'), [401, 'delete shut t'])
  assert.deepEqual(await ask('GET', '/v2/shut/tags/list'), [401, 'list shut '])
  assert.deepEqual(await ask('GET', `/v2/shut/referrers/${config.digest}`), [
    401,
    `pull shut ${config.digest}`,
  ])
  assert.deepEqual(await ask('GET', '/v2/_catalog'), [401, 'catalog undefined '])
  const mount = `/v2/open/blobs/uploads/?mount=${config.digest}`
  assert.deepEqual(await ask('POST', `${mount}&from=shut`), [202, 'push open ', 'pull shut '])
  assert.deepEqual(await ask('POST', mount), [202, 'push open ', 'pull * '])
  const reply = await fetch(`${started.url}/v2/shut/tags/list`)
  assert.match(await reply.text(), /the gate is shut/)
})

test('a user who may not gets 403, and a gate that fails lets nobody through', async () => {
  let fails = false
  await using started = await guarded({
    access: async () => {
      if (fails) throw new Error('the policy does not answer')
      return { allowed: false }
    },
  })
  const ask = () =>
    fetch(`${started.url}/v2/a/tags/list`, { headers: { authorization: basic('ada', secret) } })
  const denied = await ask()
  assert.equal(denied.status, 403)
  assert.equal(await codeOf(denied), 'DENIED')
  fails = true
  const failed = await ask()
  assert.equal(failed.status, 500)
  assert.doesNotMatch(await failed.text(), /policy/)
})

test('a mirror: the whole name is asked first, then the path, each by its own right', async () => {
  await using started = await start({
    access: async ({ repository }) => ({ allowed: repository !== 'quay.io/a' }),
  })
  const whole = await stored(started.repositories, 'docker.io/library/a', Buffer.from('whole'))
  const plain = await stored(started.repositories, 'library/a', Buffer.from('plain'))
  await stored(started.repositories, 'quay.io/a', Buffer.from('whole'))
  const get = async (path: string, content: { digest: string }) =>
    (await fetch(`${started.url}/v2/${path.replace('?', `/blobs/${content.digest}?`)}`)).status
  assert.equal(await get('library/a?ns=docker.io', whole), 200)
  assert.equal(await get('library/a?ns=docker.io', plain), 200)
  assert.equal(await get('library/a?', whole), 404)
  assert.equal(await get('a?ns=quay.io', whole), 401)
})
