import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { MemoryRepositories } from '#content/index.ts'
import { digestOf, mediaTypes } from '#oci/index.ts'
import { codeOf, get, manifestOf, raw, start, statusOf, stored } from './server.suite.ts'

test('the largest blob and manifest, and one byte beyond', async () => {
  await using started = await start({ limits: { uploadBytes: 10, manifestBytes: 300 } })
  const push = (size: number) => {
    const body = Buffer.alloc(size, 1)
    return fetch(`${started.url}/v2/a/blobs/uploads/?digest=${digestOf(body)}`, { method: 'POST', body })
  }
  assert.equal((await push(10)).status, 201)
  const beyond = await push(11)
  assert.equal(beyond.status, 413)
  assert.equal(await codeOf(beyond), 'SIZE_INVALID')
  const location = (await fetch(`${started.url}/v2/a/blobs/uploads/`, { method: 'POST' })).headers.get(
    'location',
  )
  const patch = (body: string | ReadableStream) =>
    fetch(started.url + location, { method: 'PATCH', body, duplex: 'half' } as RequestInit)
  assert.equal((await patch('123456')).status, 202)
  assert.equal(
    (await patch(new Blob(['78901']).stream())).status,
    413,
    'in chunks, with no length to tell beforehand',
  )
  const config = await stored(started.repositories, 'a', Buffer.from('{}'))
  const manifest = manifestOf(config)
  const put = (size: number) => {
    const body = Buffer.concat([manifest, Buffer.alloc(size - manifest.length, ' ')])
    return fetch(`${started.url}/v2/a/manifests/t`, { method: 'PUT', body })
  }
  assert.equal((await put(300)).status, 201)
  assert.equal((await put(301)).status, 413)
})

test('tags of one push, up to the limit', async () => {
  await using started = await start({ limits: { tagParameters: 3 } })
  const config = await stored(started.repositories, 'a', Buffer.from('{}'))
  const body = manifestOf(config)
  const put = (count: number) => {
    const tags = Array.from({ length: count }, (_, at) => `tag=t${at}`).join('&')
    return fetch(`${started.url}/v2/a/manifests/${digestOf(body)}?${tags}`, { method: 'PUT', body })
  }
  assert.equal((await put(3)).status, 201)
  assert.equal((await put(4)).status, 414)
})

test('pages: as many as asked for and allowed, in byte order, each entry once', async () => {
  await using started = await start({ limits: { pageEntries: 3 } })
  const tags = ['10', '9', 'B', 'Z', '_', 'a', 'b']
  const config = await stored(started.repositories, 'a', Buffer.from('{}'))
  await fetch(`${started.url}/v2/a/manifests/${tags[0]}?${tags.map((tag) => `tag=${tag}`).join('&')}`, {
    method: 'PUT',
    body: manifestOf(config),
  })
  for (const n of ['', 'n=1', 'n=2', 'n=3', 'n=100']) {
    const seen: string[] = []
    let path: string | undefined = `/v2/a/tags/list?${n}`
    while (path) {
      const reply: Response = await fetch(started.url + path)
      const page = ((await reply.json()) as { tags: string[] }).tags
      assert.ok(page.length <= 3 && page.length > 0)
      seen.push(...page)
      path = /<([^>]+)>; rel="next"/.exec(reply.headers.get('link') ?? '')?.[1]
    }
    assert.deepEqual(seen, tags)
  }
})

test('referrers: filtered, paged by number and by size, empty for what nobody points at', async () => {
  await using started = await start({ limits: { pageEntries: 2, pageBytes: 2000 } })
  const config = await stored(started.repositories, 'a', Buffer.from('{}'))
  const subject = { mediaType: mediaTypes.ociManifest, digest: digestOf(Buffer.from('s')), size: 1 }
  const expected: string[] = []
  for (const [artifactType, padding] of [
    ['x/one', 10],
    ['x/one', 1500],
    ['x/two', 1500],
    ['x/two', 10],
  ] as const) {
    const body = manifestOf(config, { artifactType, subject, annotations: { padding: 'p'.repeat(padding) } })
    expected.push(digestOf(body))
    await fetch(`${started.url}/v2/a/manifests/${digestOf(body)}`, { method: 'PUT', body })
  }
  const all = async (query: string) => {
    const seen: string[] = []
    let path: string | undefined = `/v2/a/referrers/${subject.digest}?${query}`
    while (path) {
      const reply: Response = await fetch(started.url + path)
      assert.equal(reply.headers.get('content-type'), mediaTypes.ociIndex)
      assert.equal(
        reply.headers.get('oci-filters-applied'),
        query.includes('artifactType') ? 'artifactType' : null,
      )
      const { manifests } = (await reply.json()) as { manifests: { digest: string; artifactType: string }[] }
      assert.ok(manifests.length > 0 && JSON.stringify(manifests).length < 4000)
      seen.push(...manifests.map(({ digest }) => digest))
      path = /<([^>]+)>; rel="next"/.exec(reply.headers.get('link') ?? '')?.[1]
    }
    return seen
  }
  assert.deepEqual(await all(''), expected.toSorted())
  assert.deepEqual(await all('artifactType=x/two'), expected.slice(2).toSorted())
  for (const name of ['a', 'never/made']) {
    const empty = await fetch(`${started.url}/v2/${name}/referrers/${config.digest}`)
    assert.deepEqual(await empty.json(), { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] })
  }
  assert.equal((await fetch(`${started.url}/v2/a/referrers/x`)).status, 400)
})

test('more requests at once than allowed are told to come back', async () => {
  const memory = new MemoryRepositories()
  const config = await stored(memory, 'a', Buffer.from('{}'))
  const arrived = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  await using started = await start({
    limits: { requests: 1, uploads: 1 },
    repositories: {
      create: (name) => memory.create(name),
      names: (page) => memory.names(page),
      async repository(name) {
        arrived.resolve()
        await gate.promise
        return memory.repository(name)
      },
    },
  })
  const first = fetch(`${started.url}/v2/a/blobs/${config.digest}`)
  await arrived.promise
  const second = await fetch(`${started.url}/v2/a/blobs/${config.digest}`)
  assert.equal(second.status, 429)
  assert.equal(second.headers.get('retry-after'), '1')
  assert.equal(await codeOf(second), 'TOOMANYREQUESTS')
  assert.equal((await fetch(`${started.url}/healthz`)).status, 200, 'health is always told')
  gate.resolve()
  assert.equal((await first).status, 200)
  assert.equal((await fetch(`${started.url}/v2/a/blobs/${config.digest}`)).status, 200)
})

test('more bodies at once than allowed are told to come back', async () => {
  await using started = await start({ limits: { uploads: 1 } })
  const location = (await fetch(`${started.url}/v2/a/blobs/uploads/`, { method: 'POST' })).headers.get(
    'location',
  )
  const slow = connect(started.port, '127.0.0.1')
  slow.write(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc`)
  while ((await fetch(started.url + location)).headers.get('range') !== '0-2');
  const reply = await fetch(`${started.url}/v2/a/manifests/t`, { method: 'PUT', body: '{}' })
  assert.equal(reply.status, 429)
  slow.destroy()
})

test('connections beyond the limit are refused', async () => {
  await using started = await start({ limits: { connections: 1 } })
  const first = connect(started.port, '127.0.0.1')
  await new Promise((resolve) => first.once('connect', resolve))
  first.write('GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n')
  await new Promise((resolve) => first.once('data', resolve))
  assert.equal(await raw(started.port, get('/v2/')), '')
  first.destroy()
})

test('slow clients are cut off: in the head, in the body, and when nothing moves', async () => {
  await using head = await start({ limits: { headersMs: 100 } })
  assert.equal(statusOf(await raw(head.port, 'GET /v2/ HTTP/1.1\r\nHost: x\r\n')), 408)
  await using body = await start({ limits: { bodySlowMs: 60, bodyBytesPerSecond: 1_000_000 } })
  const location = (await fetch(`${body.url}/v2/a/blobs/uploads/`, { method: 'POST' })).headers.get(
    'location',
  )
  const dripping = connect(body.port, '127.0.0.1')
  dripping.on('error', () => undefined)
  dripping.write(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n`)
  const drops = setInterval(() => dripping.write('x'), 5)
  let reply = ''
  dripping.on('data', (chunk) => {
    reply += chunk
  })
  await new Promise((resolve) => dripping.once('close', resolve))
  clearInterval(drops)
  assert.equal(statusOf(reply), 408)
  await using idle = await start({ limits: { idleMs: 100 } })
  const begun = (await fetch(`${idle.url}/v2/a/blobs/uploads/`, { method: 'POST' })).headers.get('location')
  assert.equal(await raw(idle.port, `PATCH ${begun} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc`), '')
})

test('uploads that nobody uses are let go of in memory, and taken up again', async () => {
  await using started = await start({ limits: { openUploads: 2 } })
  const locations: string[] = []
  for (let at = 0; at < 4; at++) {
    const begun = await fetch(`${started.url}/v2/a/blobs/uploads/`, { method: 'POST' })
    locations.push(started.url + begun.headers.get('location'))
  }
  const open = /uploads_open (\d+)/.exec(await (await fetch(`${started.url}/metrics`)).text())
  assert.equal(open?.[1], '2')
  for (const location of locations) {
    const body = Buffer.from(location)
    assert.equal((await fetch(`${location}?digest=${digestOf(body)}`, { method: 'PUT', body })).status, 201)
  }
})
