import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { digestOf } from '#oci/index.ts'
import { get, raw, start, statusOf, stored } from './server.suite.ts'

const codeIn = (reply: string): string => /"code":"([A-Z_]+)"/.exec(reply)?.[1] ?? ''

test('names that try to escape', async () => {
  await using started = await start()
  await stored(started.repositories, 'a/b', Buffer.from('{}'))
  for (const [target, status] of [
    ['/v2/../../etc/passwd/tags/list', 400],
    ['/v2/a/../b/tags/list', 400],
    ['/v2/a%2Fb/tags/list', 400],
    ['/v2/%2e%2e/%2e%2e/tags/list', 400],
    ['/v2/a\\b/tags/list', 400],
    ['/v2/a/b/blobs/../../../x', 404],
    ['/v2/a/b/blobs/sha256:../../x', 404],
    [`/v2/a/b/blobs/sha256:${'A'.repeat(64)}`, 400],
    [`/v2/a/b/manifests/${'t'.repeat(129)}`, 404],
    ['/v2/a/b/manifests/%00', 404],
    ['/v2/a/b/blobs/uploads/..', 404],
    ['/v2/a/b/tags/list?ns=../../x', 200],
  ] as const) {
    assert.equal(statusOf(await raw(started.port, get(target))), status, target)
  }
})

test('lists: huge, negative and nonsense pages', async () => {
  await using started = await start()
  await stored(started.repositories, 'a/b', Buffer.from('{}'))
  for (const [query, status] of [
    ['n=0', 200],
    ['n=999999999999999999', 200],
    ['n=9999999999999999999', 400],
    ['n=-1', 400],
    ['n=1e3', 400],
    ['n=', 400],
    ['last=%00%ff', 200],
    [`last=${'x'.repeat(5000)}`, 200],
    ['n=1&n=2&n=x', 200],
  ] as const) {
    for (const path of ['/v2/a/b/tags/list', '/v2/_catalog']) {
      assert.equal(statusOf(await raw(started.port, get(`${path}?${query}`))), status, `${path}?${query}`)
    }
  }
})

test('heads that are too large or malformed, or that say two things', async () => {
  await using started = await start({ limits: { headerBytes: 4096 } })
  const { port } = started
  const padded = (length: number) => get('/v2/', `X: ${'x'.repeat(length)}`)
  assert.equal(statusOf(await raw(port, padded(3500))), 200)
  assert.equal(statusOf(await raw(port, padded(4500))), 431)
  assert.equal(
    statusOf(await raw(port, get('/v2/', ...Array.from({ length: 1000 }, (_, at) => `X-${at}: y`)))),
    431,
  )
  for (const head of [
    'GET /v2/ HTTP/1.1\r\nConnection: close\r\n\r\n',
    'nonsense\r\n\r\n',
    'GET /v2/ HTTP/9.9\r\nHost: x\r\n\r\n',
    'POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef',
    'POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n',
    'POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n',
    'GET /v2/ HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n',
  ]) {
    assert.equal(statusOf(await raw(port, head)), 400, head)
  }
})

test('a body shorter than it says leaves a push that can be resumed where it broke', async () => {
  await using started = await start()
  const begun = await fetch(`${started.url}/v2/a/blobs/uploads/`, { method: 'POST' })
  const path = begun.headers.get('location')!
  const socket = connect(started.port, '127.0.0.1')
  socket.write(`PATCH ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabcdef`)
  // The status is asked for over another connection until the six bytes are in.
  for (;;) {
    const { headers } = await fetch(started.url + path)
    if (headers.get('range') === '0-5') break
  }
  socket.destroy()
  await started.event((event) => event.event === 'request' && event.method === 'PATCH')
  const digest = digestOf(Buffer.from('abcdefgh'))
  const finished = await fetch(`${started.url}${path}?digest=${digest}`, {
    method: 'PUT',
    body: 'gh',
    headers: { 'Content-Range': '6-7' },
  })
  assert.equal(finished.status, 201)
})

test('a client that comes back takes its upload over from a connection that hangs', async () => {
  await using started = await start()
  const begun = await fetch(`${started.url}/v2/a/blobs/uploads/`, { method: 'POST' })
  const path = begun.headers.get('location')!
  const hanging = raw(started.port, `PATCH ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc`)
  for (;;) {
    const { headers } = await fetch(started.url + path)
    if (headers.get('range') === '0-2') break
  }
  const digest = digestOf(Buffer.from('abcd'))
  const finished = await fetch(`${started.url}${path}?digest=${digest}`, { method: 'PUT', body: 'd' })
  assert.equal(finished.status, 201)
  assert.equal(await hanging, '', 'the old connection got no answer, and is gone')
})

test('chunks in chunked encoding that break the encoding are not taken for the whole', async () => {
  await using started = await start()
  const digest = digestOf(Buffer.from('abc'))
  const head = `POST /v2/a/blobs/uploads/?digest=${digest} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`
  const reply = await raw(started.port, head, '3\r\nabc\r\nzz\r\n')
  assert.notEqual(statusOf(reply), 201)
  await started.event((event) => event.event === 'request' && event.method === 'POST')
  assert.equal((await fetch(`${started.url}/v2/a/blobs/${digest}`)).status, 404)
})

test('an unwanted body: small ones are read away, large ones end the connection, expected ones never come', async () => {
  await using started = await start({ limits: { drainBytes: 1000 } })
  const put = (length: number, ...headers: string[]) =>
    [
      `PUT /v2/a/manifests/sha256:x HTTP/1.1`,
      'Host: x',
      `Content-Length: ${length}`,
      ...headers,
      '',
      '',
    ].join('\r\n')
  const two = await raw(started.port, put(4), 'body', get('/v2/'))
  assert.deepEqual(two.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 400', 'HTTP/1.1 200'])
  const large = await raw(started.port, put(1_000_000), 'begin')
  assert.equal(statusOf(large), 400)
  assert.match(large, /connection: close/i)
  const expecting = await raw(started.port, put(10, 'Expect: 100-continue'))
  assert.equal(statusOf(expecting), 400)
  const body = 'hello'
  const wanted = `POST /v2/a/blobs/uploads/?digest=${digestOf(Buffer.from(body))} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n`
  assert.match(await raw(started.port, wanted, body), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 /)
})

test('many answers to one request head, methods nobody has, and requests sent all at once', async () => {
  await using started = await start()
  const { port } = started
  assert.equal(
    statusOf(await raw(port, 'PROPFIND /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')),
    405,
  )
  const reply = await raw(port, 'TRACE /v2/a/tags/list HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  assert.equal(statusOf(reply), 405)
  assert.equal(codeIn(reply), 'UNSUPPORTED')
  const pipelined = await raw(port, 'GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(20) + get('/v2/'))
  assert.equal(pipelined.match(/HTTP\/1\.1 200/g)?.length, 21)
  assert.equal(statusOf(await raw(port, get('/constructor'))), 404)
  assert.equal(statusOf(await raw(port, 'constructor /v2/ HTTP/1.1\r\nHost: x\r\n\r\n')), 400)
})
