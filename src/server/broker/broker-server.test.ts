import assert from 'node:assert/strict'
import { request } from 'node:http'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { parseErrorBody } from '#attestation/index.ts'
import { failures } from '#base/index.ts'
import { type Answered, send, startTest } from './broker.suite.ts'

const session = '7a0a8b439c1643b09823ed71201526ef'
const other = '035ad19a81a04cb6a54720516a493dae'

const typeOf = ({ text }: Answered) => parseErrorBody(Buffer.from(text)).type

test('a guest is answered with the bytes that Trustee sends', async () => {
  await using at = await startTest()
  at.face.reply = {
    body: Buffer.from('{"nonce":"x"}'),
    noStore: true,
    cookie: { value: session, expires: new Date('2026-11-21T01:52:34.567Z') },
  }
  const reply = await send(`${at.guestUrl}/kbs/v0/auth`, { method: 'POST' }, '{"version":"0.4.0"}')
  assert.equal(reply.status, 200)
  assert.equal(reply.text, '{"nonce":"x"}')
  assert.deepEqual(reply.rawHeaders.slice(0, 8), [
    ...['content-length', '13', 'content-type', 'application/json'],
    ...['set-cookie', `kbs-session-id=${session}; Expires=Sat, 21 Nov 2026 01:52:34 GMT`],
    ...['cache-control', 'no-store'],
  ])
  const [asked] = at.face.guests
  assert.deepEqual(
    { ...asked, body: Buffer.from(asked!.body).toString(), query: { ...asked!.query } },
    { method: 'POST', path: ['auth'], query: {}, body: '{"version":"0.4.0"}' },
  )
})

test('a guest brings path, query, body and proofs; all four methods', async () => {
  await using at = await startTest()
  const headers = {
    cookie: `a=b; kbs-session-id=bad; kbs-session-id=${session}; kbs-session-id=${other}`,
    authorization: 'Bearer a.b.c',
  }
  const path = '/kbs/v0/nebula-ca/credential?name=pod-1&ip=10.0.0.7/24&name=pod%202'
  for (const method of ['GET', 'POST', 'PUT', 'DELETE']) {
    const body = method === 'GET' ? '' : 'body'
    await send(at.guestUrl + path, { method, headers: { ...headers, 'content-length': body.length } }, body)
  }
  assert.deepEqual(
    at.face.guests.map(({ method, path, query, body, sessionId, bearer, certificate }) => [
      ...[method, path.join(), { ...query }, Buffer.from(body).toString(), sessionId, bearer, certificate],
    ]),
    ['GET', 'POST', 'PUT', 'DELETE'].map((method) => [
      ...[method, 'nebula-ca,credential', { name: 'pod 2', ip: '10.0.0.7/24' }],
      ...[method === 'GET' ? '' : 'body', session, 'a.b.c', undefined],
    ]),
  )
  const reply = await send(`${at.guestUrl}/.well-known/jwks.json`)
  assert.equal(reply.headers['cache-control'], undefined)
  assert.deepEqual(at.face.guests.at(-1)?.path, ['token-keys'])
  await send(`${at.guestUrl}/kbs/v0/token-certificates`)
  assert.deepEqual(at.face.guests.at(-1)?.path, ['token-certificates'])
  await send(`${at.guestUrl}/kbs/v0/`)
  assert.deepEqual(at.face.guests.at(-1)?.path, [])
})

test('what is no call is refused in the form of Trustee, and the broker is not asked', async () => {
  await using at = await startTest()
  for (const path of [
    '/',
    '/kbs/v0',
    '/kbs/v1/auth',
    '/KBS/v0/auth',
    '/admin/v1/leases',
    '/metrics',
    '/kbs/v0/a//b',
  ]) {
    const reply = await send(at.guestUrl + path)
    assert.deepEqual([reply.status, typeOf(reply)], [404, 'InvalidRequestPath'], path)
    assert.equal(reply.headers['content-type'], 'application/json')
  }
  const query = await send(`${at.guestUrl}/kbs/v0/resource/a/b/c?x=%zz`)
  assert.deepEqual([query.status, typeOf(query)], [400, 'SerdeError'])
  for (const method of ['HEAD', 'OPTIONS', 'PATCH', 'TRACE', 'PROPFIND']) {
    const reply = await send(`${at.guestUrl}/kbs/v0/auth`, { method })
    assert.deepEqual([reply.status, reply.headers.allow], [405, 'GET, POST, PUT, DELETE'], method)
  }
  assert.equal(at.face.guests.length, 0)
})

test('a refusal of the broker goes out as it is; what it throws is told to nobody', async () => {
  await using at = await startTest()
  at.face.reply = {
    status: 403,
    body: Buffer.from('{"type":"x"}'),
    outcome: {
      call: 'resource',
      status: 403,
      code: 'BROKER_POLICY_DENIED',
      message: 'rule 7 says no',
      caller: 'key:ada',
    },
  }
  const denied = await send(
    `${at.guestUrl}/kbs/v0/resource/default/key/%C3%A9 1?q=hidden`.replace(' ', '%20'),
  )
  assert.deepEqual([denied.status, denied.text], [403, '{"type":"x"}'])
  const { durationMs, ...line } = at.requests()[0]!
  assert.ok(durationMs > 0)
  assert.deepEqual(line, {
    event: 'request',
    level: 'warn',
    listener: 'guests',
    call: 'resource',
    path: 'default/key/%C3%A9%201',
    status: 403,
    code: 'BROKER_POLICY_DENIED',
    message: 'rule 7 says no',
    caller: 'key:ada',
    peer: '127.0.0.1',
  })
  at.face.before = async () => {
    throw new TypeError('secret of the broker')
  }
  const failed = await send(`${at.guestUrl}/kbs/v0/auth`)
  assert.deepEqual([failed.status, typeOf(failed)], [500, 'PluginInternalError'])
  assert.doesNotMatch(failed.text + JSON.stringify(at.events), /secret of/)
  assert.match(at.events.find((event) => event.event === 'failure')?.message ?? '', /^TypeError at /)
  at.face.before = async () => {
    throw failures({ X_Y: { meaning: '', remedy: '' } })('X_Y', 'known here')
  }
  assert.equal((await send(`${at.guestUrl}/kbs/v0/auth`)).status, 500)
  assert.equal(at.requests().at(-1)?.message, 'known here')
})

test('health is asked of the broker, once for many probes', async () => {
  await using at = await startTest({}, { healthMs: 200 })
  const ready = await Promise.all([1, 2, 3].map(() => send(`${at.guestUrl}/healthz`)))
  assert.deepEqual(
    ready.flatMap(({ status, text }) => [status, text]),
    [200, 'ok\n', 200, 'ok\n', 200, 'ok\n'],
  )
  assert.equal(at.face.asked, 1)
  at.face.why = 'the store does not answer'
  await wait(250)
  const not = await send(`${at.guestUrl}/healthz`)
  assert.deepEqual([not.status, not.text], [503, 'the store does not answer\n'])
  assert.equal(at.requests().length, 0)
})

test('metrics are where the configuration says', async () => {
  for (const place of ['guests', 'admin', 'none', undefined] as const) {
    await using at = await startTest({
      admin: { listen: '127.0.0.1:0' },
      ...(place && { metrics: place }),
    })
    const guests = await send(`${at.guestUrl}/metrics`)
    const admins = await send(`${at.adminUrl}/metrics`)
    assert.deepEqual(
      [guests.status, admins.status],
      [place === 'guests' ? 200 : 404, place === 'admin' || place === undefined ? 200 : 401],
    )
    const { text } = place === 'guests' ? guests : admins
    if (place !== 'none') assert.match(text, /^sealift_broker_sessions 3$/m)
    at.face.gauges = () => assert.fail()
    const without = await send(`${place === 'guests' ? at.guestUrl : at.adminUrl}/metrics`)
    assert.doesNotMatch(without.text, /sealift_broker_sessions/)
  }
})

test('a body is taken up to its limit; over it the refusal still arrives', async () => {
  await using at = await startTest({ limits: { bodyBytes: 1000 } }, { drainBytes: 4000 })
  const post = (size: number, headers = {}) =>
    send(`${at.guestUrl}/kbs/v0/attest`, { method: 'POST', headers }, Buffer.alloc(size, 'x'))
  const chunked = { 'transfer-encoding': 'chunked' }
  assert.equal((await post(1000)).status, 200)
  assert.equal((await post(1000, chunked)).status, 200)
  assert.equal(at.face.guests[1]?.body.length, 1000)
  for (const headers of [{}, chunked]) {
    const reply = await post(1001, headers)
    assert.deepEqual([reply.status, typeOf(reply)], [413, 'SerdeError'])
  }
  assert.equal(at.face.guests.length, 2)
  assert.equal(at.requests().at(-1)?.code, 'BROKER_BODY_TOO_LARGE')
})

test('a body that waits for its leave gets it, or is refused before it is sent', async () => {
  await using at = await startTest({ limits: { bodyBytes: 1000 } })
  const attempt = (size: number) =>
    new Promise<[number | undefined, boolean]>((resolve, reject) => {
      let isTold = false
      const headers = { expect: '100-continue', 'content-length': size }
      const sent = request(
        `${at.guestUrl}/kbs/v0/attest`,
        { method: 'POST', agent: false, headers },
        (reply) => {
          reply.resume()
          reply.on('end', () => resolve([reply.statusCode, isTold]))
          sent.destroy()
        },
      )
      sent.on('continue', () => {
        isTold = true
        sent.end(Buffer.alloc(size))
      })
      sent.on('error', (error: NodeJS.ErrnoException) => error.code !== 'ECONNRESET' && reject(error))
      sent.flushHeaders()
    })
  assert.deepEqual(await attempt(1000), [200, true])
  assert.deepEqual(await attempt(1001), [413, false])
})

test('all bodies in work together are bounded', async () => {
  await using at = await startTest({ limits: { bodyBytes: 2000, bodiesBytes: 3000 } })
  const gate = Promise.withResolvers<void>()
  at.face.before = () => gate.promise
  const post = (size: number) =>
    send(`${at.guestUrl}/kbs/v0/attest`, { method: 'POST' }, Buffer.alloc(size, 'x'))
  const first = [post(1000), post(1000)]
  while (at.face.guests.length < 2) await wait(5)
  assert.equal((await post(1001)).status, 503)
  assert.equal(at.requests()[0]?.code, 'BROKER_BODIES_EXCEEDED')
  const third = post(1000)
  while (at.face.guests.length < 3) await wait(5)
  gate.resolve()
  for (const { status } of await Promise.all([...first, third])) assert.equal(status, 200)
  assert.equal((await post(2000)).status, 200)
})

test('a reply whose headers cannot be sent is a failure, and no silence', async () => {
  await using at = await startTest()
  at.face.reply = { mediaType: 'text/plain\r\nSet-Cookie: a=b' }
  const reply = await send(`${at.guestUrl}/kbs/v0/auth`)
  assert.deepEqual([reply.status, reply.headers['set-cookie']], [500, undefined])
})

test('more requests than may be in work are refused at once, until their answers are there', async () => {
  await using at = await startTest({ limits: { concurrent: 2, requestSeconds: 0.6, headersSeconds: 0.5 } })
  const gate = Promise.withResolvers<void>()
  at.face.before = () => gate.promise
  const ask = () => send(`${at.guestUrl}/kbs/v0/auth`)
  const first = [ask(), ask()]
  while (at.face.guests.length < 2) await wait(5)
  const busy = await ask()
  assert.deepEqual([busy.status, busy.headers['retry-after']], [503, '1'])
  // Their deadline answers them, but they keep their places until the broker lets go of them.
  for (const { status, text } of await Promise.all(first)) {
    assert.equal(status, 503)
    assert.match(text, /in time/)
  }
  assert.equal((await ask()).status, 503)
  assert.equal(at.face.guests.length, 2)
  gate.resolve()
  await wait(5)
  assert.equal((await ask()).status, 200)
  assert.deepEqual(
    at.requests().map(({ code }) => code),
    ['BROKER_BUSY', 'BROKER_TIMEOUT', 'BROKER_TIMEOUT', 'BROKER_BUSY', undefined],
  )
})

test('a peer that asks too often waits as long as it is told', async () => {
  await using at = await startTest({
    limits: { requestsPerSecond: 0.01, requestBurst: 3 },
    metrics: 'guests',
  })
  const statuses: number[] = []
  for (let time = 0; time < 3; time++) statuses.push((await send(`${at.guestUrl}/kbs/v0/auth`)).status)
  assert.deepEqual(statuses, [200, 200, 200])
  const late = await send(`${at.guestUrl}/kbs/v0/auth`)
  assert.equal(late.status, 429)
  assert.ok(Number(late.headers['retry-after']) > 90)
  assert.equal((await send(`${at.guestUrl}/healthz`)).status, 200)
  assert.equal((await send(`${at.guestUrl}/healthz`, { method: 'HEAD' })).status, 200)
  const { text } = await send(`${at.guestUrl}/metrics`)
  assert.match(text, /^sealift_broker_limit_hits_total\{limit="requestsPerSecond"\} 1$/m)
})

test('a stop lets requests end, and refuses what takes too long', async () => {
  const at = await startTest({ limits: { stopSeconds: 5 } })
  const gate = Promise.withResolvers<void>()
  at.face.before = () => gate.promise
  const quick = send(`${at.guestUrl}/kbs/v0/auth`)
  while (at.face.guests.length < 1) await wait(5)
  const stopped = at.server[Symbol.asyncDispose]()
  gate.resolve()
  const { status, headers } = await quick
  assert.deepEqual([status, headers.connection], [200, 'close'])
  await Promise.all([stopped, at.server[Symbol.asyncDispose]()])
  await assert.rejects(send(`${at.guestUrl}/healthz`))
  assert.deepEqual(
    at.events.map(({ event }) => event),
    ['listening', 'stopping', 'request', 'stopped'],
  )

  const late = await startTest({ limits: { stopSeconds: 0.05 } })
  let reason: unknown
  late.face.before = (signal) =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        reason = signal.reason
        reject(signal.reason)
      })
    })
  const given = send(`${late.guestUrl}/kbs/v0/auth`)
  while (late.face.guests.length < 1) await wait(5)
  await late.server[Symbol.asyncDispose]()
  assert.equal((await given).status, 503)
  assert.equal((reason as { code: string }).code, 'BROKER_STOPPING')
})

test('a listener that cannot be had leaves none behind', async () => {
  await using at = await startTest({ admin: { listen: '127.0.0.1:0' } })
  const taken = new URL(at.adminUrl).host
  await assert.rejects(startTest({ admin: { listen: taken } }), { code: 'LISTEN_FAILED' })
  await assert.rejects(startTest({ admin: { listen: 'nonsense' } }), { code: 'LISTEN_ADDRESS_INVALID' })
})

test('admins are not asked over plain HTTP where others could listen', async () => {
  for (const listen of [
    '0.0.0.0:0',
    ':0',
    '[::]:0',
    '192.0.2.1:0',
    'broker.example:0',
    '127.0.0.1.example:0',
  ]) {
    await assert.rejects(startTest({ admin: { listen } }), { code: 'BROKER_ADMIN_UNPROTECTED' }, listen)
  }
})
