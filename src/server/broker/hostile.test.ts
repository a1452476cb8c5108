// What strangers send: it ends in a refusal, asks nothing of the broker, and leaves nothing secret anywhere.
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { send, sendRaw, startTest } from './broker.suite.ts'

const session = '7a0a8b439c1643b09823ed71201526ef'
const statusesOf = (text: string) =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status))

test('shapes that two parsers read differently are no requests', async () => {
  await using at = await startTest({}, { headersMs: 200 })
  const smuggled = 'GET /kbs/v0/resource/a/b/c HTTP/1.1\r\nHost: x\r\n\r\n'
  const head = 'POST /kbs/v0/attest HTTP/1.1\r\nHost: x\r\n'
  const shapes: Record<string, string> = {
    'length and chunks': `${head}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    'two lengths': `${head}Content-Length: 0\r\nContent-Length: 49\r\n\r\n${smuggled}`,
    'a length that is none': `${head}Content-Length: +4\r\n\r\nbody`,
    'a negative length': `${head}Content-Length: -1\r\n\r\n`,
    'a length beyond numbers': `${head}Content-Length: 99999999999999999999999\r\n\r\n`,
    'chunked, then something': `${head}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${smuggled}`,
    'a coding nobody knows': `${head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${smuggled}`,
    'a space before the colon': `${head}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    'a folded header': `${head}X: a\r\n Content-Length: 4\r\n\r\nbody`,
    'bare line feeds': 'GET /kbs/v0/a HTTP/1.1\nHost: x\n\n',
    'a chunk size that is none': `${head}Transfer-Encoding: chunked\r\n\r\n0x4\r\nbody\r\n0\r\n\r\n`,
    'no host': 'GET /kbs/v0/auth HTTP/1.1\r\n\r\n',
    'a NUL in a header': `${head}X: a\u0000b\r\n\r\n`,
    'another protocol': '\u0016\u0003\u0001\u0002\u0000\u0001',
    'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  }
  for (const [what, bytes] of Object.entries(shapes)) {
    const [status = 400, ...more] = statusesOf(await sendRaw(at.guestUrl, bytes))
    assert.deepEqual([status >= 400 && status < 500, more], [true, []], what)
  }
  assert.equal(at.face.guests.length, 0)
})

test('old and unusual forms of requests are read as what they are', async () => {
  await using at = await startTest()
  const old = await sendRaw(
    at.guestUrl,
    `GET /kbs/v0/resource/a/b/c HTTP/1.0\r\nCookie: kbs-session-id=${session}\r\n\r\n`,
  )
  assert.match(old, /^HTTP\/1\.1 200/)
  const absolute =
    'GET http://elsewhere.example/kbs/v0/resource/a/b/c HTTP/1.1\r\nHost: elsewhere.example\r\n'
  assert.match(await sendRaw(at.guestUrl, `${absolute}Connection: close\r\n\r\n`), /^HTTP\/1\.1 200/)
  assert.deepEqual(
    at.face.guests.map(({ path, sessionId }) => [path.join('/'), sessionId]),
    [
      ['resource/a/b/c', session],
      ['resource/a/b/c', undefined],
    ],
  )
  const close = 'Host: x\r\nConnection: close\r\n\r\n'
  assert.deepEqual(statusesOf(await sendRaw(at.guestUrl, `OPTIONS * HTTP/1.1\r\n${close}`)), [404])
  assert.deepEqual(statusesOf(await sendRaw(at.guestUrl, `GET kbs/v0/auth HTTP/1.1\r\n${close}`)), [400])
  // A tunnel is not what this is.
  assert.equal(await sendRaw(at.guestUrl, `CONNECT kbs.example:443 HTTP/1.1\r\n${close}`), '')
  const upgrade = `GET /kbs/v0/a HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\nHost: x\r\n\r\n`
  assert.deepEqual(statusesOf(await sendRaw(at.guestUrl, upgrade)), [200])
  assert.equal(at.face.guests.length, 3)
})

test('path tricks, arrays and floods of parameters and cookies', async () => {
  await using at = await startTest()
  const tricks = [
    '%2e%2e/auth',
    '..%2fauth',
    'a%2fb',
    'a%00b',
    'a%c0%afb',
    'a//b',
    'a/./b',
    'a/../b',
    'a%0d%0ab',
    'a%',
    'a\\b',
  ]
  for (const path of tricks) {
    const head = `GET /kbs/v0/${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`
    assert.deepEqual(statusesOf(await sendRaw(at.guestUrl, head)), [404], path)
  }
  assert.equal((await send(`${at.guestUrl}/kbs/v0/a?${'a[]=1&'.repeat(1_000)}`)).status, 400)
  assert.equal((await send(`${at.guestUrl}/kbs/v0/a?${'a=1&'.repeat(10_000)}`)).status, 404)
  assert.equal((await send(`${at.guestUrl}/kbs/v0/${'a/'.repeat(40)}a`)).status, 404)
  assert.equal(at.face.guests.length, 0)
  await send(`${at.guestUrl}/kbs/v0/a?__proto__=1&a[__proto__][x]=2&toString=3`)
  assert.deepEqual(Object.entries(at.face.guests[0]!.query), [
    ['__proto__', '1'],
    ['a[__proto__][x]', '2'],
    ['toString', '3'],
  ])
  const cookies = `${'a=b; '.repeat(5_000)}kbs-session-id=${session}`
  await send(`${at.guestUrl}/kbs/v0/a`, { headers: { cookie: cookies } })
  await send(`${at.guestUrl}/kbs/v0/a`, { headers: { cookie: "kbs-session-id=' or 1=1; --" } })
  assert.deepEqual(
    at.face.guests.slice(1).map(({ sessionId }) => sessionId),
    [undefined, undefined],
  )
})

test('heads that are too large or never end, and bodies that do not come', async () => {
  await using at = await startTest({}, { headerBytes: 8192, headersMs: 150, requestMs: 250 })
  const bomb = `GET /kbs/v0/a HTTP/1.1\r\nHost: x\r\n${`X: ${'a'.repeat(1000)}\r\n`.repeat(10)}\r\n`
  assert.deepEqual(statusesOf(await sendRaw(at.guestUrl, bomb)), [431])
  const many = `GET /kbs/v0/a HTTP/1.1\r\nHost: x\r\n${'X:1\r\n'.repeat(3000)}\r\n`
  assert.deepEqual(statusesOf(await sendRaw(at.guestUrl, many)), [431])
  const slow = await sendRaw(at.guestUrl, 'GET /kbs/v0/a HTTP/1.1\r\nHost: x\r\nX: ')
  assert.deepEqual(statusesOf(slow), [408])
  const head = 'POST /kbs/v0/a HTTP/1.1\r\nHost: x\r\n'
  assert.deepEqual(statusesOf(await sendRaw(at.guestUrl, `${head}Content-Length: 10\r\n\r\nab`)), [408])
  assert.deepEqual(
    statusesOf(await sendRaw(at.guestUrl, `${head}Transfer-Encoding: chunked\r\n\r\n5\r\nab`)),
    [408],
  )
  assert.deepEqual(statusesOf(await sendRaw(at.guestUrl, `${head}Content-Length: 999999999\r\n\r\n`)), [413])
  assert.equal(at.face.guests.length, 0)
  assert.deepEqual(
    at.events.flatMap((event) =>
      event.event === 'malformed' || event.event === 'request' ? [event.code] : [],
    ),
    [
      ...['HPE_HEADER_OVERFLOW', 'HPE_HEADER_OVERFLOW', 'ERR_HTTP_REQUEST_TIMEOUT'],
      ...['BROKER_BODY_SLOW', 'BROKER_BODY_SLOW', 'BROKER_BODY_TOO_LARGE'],
    ],
  )
})

test('a body that breaks off is none', async () => {
  await using at = await startTest()
  const socket = connect(Number(new URL(at.guestUrl).port), '127.0.0.1')
  socket.write('POST /kbs/v0/attest HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nab')
  await wait(30)
  socket.destroy()
  while (at.requests().length === 0) await wait(5)
  assert.equal(at.requests()[0]?.code, 'BROKER_BODY_BROKEN')
  assert.equal(at.face.guests.length, 0)
})

test('3 MB are refused, and more than a server reads too', async () => {
  await using at = await startTest({}, { drainBytes: 4 * 1024 * 1024 })
  const post = (megabytes: number, headers = {}) =>
    send(
      `${at.guestUrl}/kbs/v0/attest`,
      { method: 'POST', headers },
      Buffer.alloc(megabytes * 1024 * 1024, 'x'),
    ).then(
      ({ status }) => status,
      () => 'broken off',
    )
  assert.equal(await post(3), 413)
  assert.equal(await post(3, { 'transfer-encoding': 'chunked' }), 413)
  // A server that stops reading may break the connection off before its answer is seen.
  for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
    assert.ok([413, 'broken off'].includes(await post(20, headers)))
  }
  assert.equal(await post(2), 200)
  assert.equal(at.face.guests.length, 1)
})

test('more connections than the limit are closed at once', async () => {
  await using at = await startTest({ limits: { connections: 2 } })
  const port = Number(new URL(at.guestUrl).port)
  const held = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')]
  await Promise.all(held.map((socket) => new Promise((resolve) => socket.once('connect', resolve))))
  await wait(20)
  assert.equal(await sendRaw(at.guestUrl, 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'), '')
  for (const socket of held) socket.destroy()
})

test('nothing that a guest or an admin sends is in a log, a metric or a refusal', async () => {
  const planted = 'planted0secret'
  await using at = await startTest(
    { admin: { listen: '127.0.0.1:0' }, metrics: 'guests' },
    { headersMs: 150, requestMs: 200 },
  )
  const headers = {
    cookie: `kbs-session-id=${planted}; ${planted}=${planted}`,
    authorization: `Bearer ${planted}.${planted}.${planted}`,
    'x-secret': planted,
  }
  const replies: string[] = []
  const ask = async (url: string, options = {}) =>
    replies.push((await send(url, { headers, method: 'POST', ...options }, `{"secret":"${planted}"}`)).text)
  at.face.reply = { outcome: { call: 'unknown', status: 404 } }
  for (const base of [at.guestUrl, at.adminUrl]) {
    await ask(`${base}/kbs/v0/${planted}/${planted}?${planted}=${planted}`)
    await ask(`${base}/kbs/v0/${planted}/../x`)
    await ask(`${base}/${planted}`)
    await ask(`${base}/kbs/v0/auth?${planted}=%zz`)
    await ask(`${base}/kbs/v0/auth`, { method: 'PATCH' })
    replies.push(await sendRaw(base, `${planted} ${planted}\r\n\r\n`))
    replies.push(await sendRaw(base, `GET /kbs/v0/a HTTP/1.1\r\nHost: x\r\n${planted}: ${planted}`))
    replies.push(
      await sendRaw(base, `POST /kbs/v0/a HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n${planted}`),
    )
  }
  at.face.before = async () => {
    throw new Error(planted)
  }
  await ask(`${at.guestUrl}/kbs/v0/auth`)
  const { text } = await send(`${at.guestUrl}/metrics`)
  assert.match(text, /sealift_broker_requests_total/)
  assert.ok(at.events.length >= 15)
  for (const told of [JSON.stringify(at.events), text, ...replies]) assert.ok(!told.includes(planted), told)
})
