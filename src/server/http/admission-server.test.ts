import assert from 'node:assert/strict'
import { request as plainRequest } from 'node:http'
import { type RequestOptions, request } from 'node:https'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { admissionLimits } from '#base/index.ts'
import { testCertificates } from '../../../test/support/test-certificates.ts'
import { Admission } from '../admission/admission.ts'
import { bytesOf, podOf, reviewOf, TestGate, TestSubjects } from '../admission.suite.ts'
import type { AdmissionEvent } from './admission-log.ts'
import { AdmissionServer, type AdmissionServerOptions } from './admission-server.ts'
import { Metrics } from './metrics.ts'

const host = 'registry.example/shop'

async function start(options: Partial<AdmissionServerOptions> = {}, limits = {}) {
  const gate = new TestGate()
  const subjects = new TestSubjects()
  const events: AdmissionEvent[] = []
  const all = { ...admissionLimits, ...limits }
  const server = new AdmissionServer({
    admission: new Admission({
      gate,
      subjects,
      environmentOf: (_, asked) => asked ?? 'production',
      limits: all,
    }),
    metrics: new Metrics(),
    log: (event) => events.push(event),
    limits: all,
    ...options,
  })
  const { url } = await server.listen('127.0.0.1', 0)
  const post = async (path: string, body: Buffer, headers: Record<string, string> = {}) => {
    const reply = await fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    })
    // biome-ignore lint/suspicious/noExplicitAny: whatever it says is asserted
    return { status: reply.status, body: (await reply.json()) as any }
  }
  return { gate, subjects, events, server, url, post, [Symbol.asyncDispose]: () => server.close() }
}

test('a review is answered with its uid, as the API server wants it', async () => {
  await using at = await start()
  const digest = at.subjects.add(`${host}/web:1`, true)
  const good = await at.post('/validate', bytesOf(reviewOf(podOf(`${host}/web@${digest}`))))
  assert.equal(good.status, 200)
  assert.deepEqual(good.body, {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: {
      uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
      allowed: true,
      auditAnnotations: { decision: 'admitted', environment: 'production', entry: '0' },
    },
  })
  const bad = await at.post('/validate/trial', bytesOf(reviewOf(podOf('busybox'))))
  assert.equal(bad.body.response.allowed, false)
  assert.equal(bad.body.response.status.code, 403)
  assert.match(bad.body.response.status.message, /container c0 \(busybox\).*\[IMAGE_NOT_PINNED\]/)
  const pinned = await at.post('/mutate', bytesOf(reviewOf(podOf(`${host}/web:1`))))
  assert.equal(pinned.body.response.patchType, 'JSONPatch')
  assert.deepEqual(JSON.parse(Buffer.from(pinned.body.response.patch, 'base64').toString()), [
    { op: 'replace', path: '/spec/containers/0/image', value: `${host}/web:1@${digest}` },
  ])
  assert.equal((await at.post('/validate/moon', bytesOf(reviewOf(podOf())))).status, 404)
})

test('what is hostile is refused with its code, and never as an admission', async () => {
  await using at = await start()
  const text = JSON.stringify(reviewOf(podOf(`${host}/web:1`)))
  const padded = (length: number) =>
    Buffer.concat([Buffer.from(text), Buffer.alloc(length - text.length, ' ')])
  const cases: [string, Buffer, number, string][] = [
    ['one byte over 3 MiB', padded(admissionLimits.reviewBytes + 1), 413, 'REVIEW_TOO_LARGE'],
    ['much over it', Buffer.alloc(20 * 1024 * 1024, ' '), 413, 'REVIEW_TOO_LARGE'],
    ['deep', Buffer.from(`${'['.repeat(1_000_000)}`), 400, 'REVIEW_INVALID'],
    ['a key twice', Buffer.from(text.replace('"uid"', '"uid":"x","uid"')), 400, 'REVIEW_INVALID'],
    ['another version', Buffer.from(text.replace('.io/v1', '.io/v1beta1')), 400, 'REVIEW_INVALID'],
    ['no JSON', Buffer.from('uid=1'), 400, 'REVIEW_INVALID'],
    ['nothing', Buffer.alloc(0), 400, 'REVIEW_INVALID'],
    ['half', Buffer.from(text.slice(0, 200)), 400, 'REVIEW_INVALID'],
  ]
  for (const [what, body, status, code] of cases) {
    const reply = await at.post('/validate', body).catch((error: Error) => ({ status: error, body: {} }))
    // A server that stops reading may break the connection off before its answer is seen: a failure just the same.
    if (what === 'much over it' && reply.status instanceof Error) continue
    assert.deepEqual([reply.status, reply.body.code], [status, code], what)
  }
  assert.equal((await at.post('/validate', padded(admissionLimits.reviewBytes))).status, 200)
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  assert.equal((await at.post('/validate', Buffer.from(text), form)).status, 400)
  const denied: [string, unknown, number][] = [
    ['containers as an object', { spec: { containers: {} } }, 400],
    ['1000 containers', podOf(...Array<string>(1000).fill('busybox')), 413],
    ['no pod', {}, 400],
  ]
  for (const [what, object, code] of denied) {
    const { status, body } = await at.post('/validate', bytesOf(reviewOf(object, { uid: '<u>\u0000\u202e' })))
    assert.deepEqual([status, body.response.allowed, body.response.status.code], [200, false, code], what)
    assert.equal(body.response.uid, '<u>\u0000\u202e')
  }
  assert.equal(at.gate.questions.length, 0)
})

test('a body that does not come, and a mirror that does not answer, end in a refusal', async () => {
  await using at = await start({}, { reviewMs: 100 })
  const slow = await new Promise<number>((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': '1000' }
    const sent = plainRequest(`${at.url}/validate`, { method: 'POST', headers }, (reply) => {
      reply.resume()
      resolve(reply.statusCode ?? 0)
      sent.destroy()
    })
    sent.on('error', reject)
    sent.write('{')
  })
  assert.equal(slow, 504)
  at.subjects.before = (signal) => wait(60_000, undefined, { signal })
  const digest = at.subjects.add(`${host}/web:1`, true)
  const { body } = await at.post('/validate', bytesOf(reviewOf(podOf(`${host}/web@${digest}`))))
  assert.equal(body.response.allowed, false)
  assert.equal(body.response.status.code, 504)
  assert.match(body.response.status.message, /REVIEW_TIMEOUT/)
})

test('an error that nobody thought of is a denial that tells nothing', async () => {
  await using at = await start()
  const digest = at.subjects.add(`${host}/web:1`, true)
  at.gate.ask = async () => {
    throw new TypeError('secret of the gate')
  }
  const { body } = await at.post('/validate', bytesOf(reviewOf(podOf(`${host}/web@${digest}`))))
  assert.equal(body.response.allowed, false)
  assert.equal(body.response.status.code, 500)
  assert.doesNotMatch(JSON.stringify(body), /secret/)
  assert.ok(at.events.some(({ event }) => event === 'failure'))
})

test('more reviews than it bears are refused at once', async () => {
  await using at = await start({}, { requests: 2 })
  const digest = at.subjects.add(`${host}/web:1`, true)
  let go = () => {}
  const gone = new Promise<void>((resolve) => {
    go = resolve
  })
  at.subjects.before = () => gone
  const body = bytesOf(reviewOf(podOf(`${host}/web@${digest}`)))
  const first = [at.post('/validate', body), at.post('/validate', body)]
  await wait(50)
  assert.deepEqual((await at.post('/validate', body)).body.code, 'REVIEW_BUSY')
  go()
  for (const { body } of await Promise.all(first)) assert.equal(body.response.allowed, true)
})

test('health, readiness and metrics; a stop finishes what is under way', async () => {
  let why: string | undefined = 'no policy yet'
  const at = await start({ notReady: () => why })
  const get = async (path: string) => {
    const reply = await fetch(at.url + path)
    return { status: reply.status, text: await reply.text() }
  }
  assert.deepEqual(await get('/readyz'), { status: 503, text: 'no policy yet\n' })
  why = undefined
  assert.equal((await get('/readyz')).status, 200)
  assert.equal((await get('/healthz')).status, 200)
  await at.post('/validate', bytesOf(reviewOf(podOf('busybox'))))
  await at.post('/validate', Buffer.from('x'))
  const { text } = await get('/metrics')
  assert.match(text, /^sealift_admission_reviews_total\{webhook="validate",outcome="denied"\} 1$/m)
  assert.match(text, /^sealift_admission_denials_total\{reason="IMAGE_NOT_PINNED"\} 1$/m)
  assert.match(text, /^sealift_admission_refusals_total\{code="REVIEW_INVALID"\} 1$/m)
  assert.match(text, /^sealift_admission_review_duration_seconds_count\{webhook="validate"\} 1$/m)
  const digest = at.subjects.add(`${host}/web:1`, true)
  at.subjects.before = () => wait(50)
  const late = at.post('/validate', bytesOf(reviewOf(podOf(`${host}/web@${digest}`))))
  await wait(20)
  await Promise.all([at.server.close(), at.server.close()])
  assert.equal((await late).body.response.allowed, true)
  await assert.rejects(fetch(`${at.url}/healthz`))
})

test('over TLS; reviews only from whom the client CA knows, probes from all; a new certificate counts at once', async () => {
  const { ca, server: certificate, serverKey: key, client, clientKey } = testCertificates
  const at = await start({ tls: { certificate, key }, clientCa: ca })
  const send = (path: string, options: RequestOptions, body?: Buffer) =>
    new Promise<number | undefined>((resolve, reject) => {
      const sent = request(`${at.url}${path}`, { ca, agent: false, ...options }, (reply) => {
        reply.resume()
        resolve(reply.statusCode)
      })
      sent.on('error', reject).end(body)
    })
  const post = { method: 'POST', headers: { 'content-type': 'application/json' } }
  const body = bytesOf(reviewOf(podOf()))
  assert.equal(await send('/healthz', {}), 200)
  assert.equal(await send('/validate', post, body), 403)
  assert.equal(await send('/validate', { ...post, cert: client, key: clientKey }, body), 200)
  at.server.use({ certificate, key })
  assert.equal(await send('/validate', post, body), 403)
  assert.equal(await send('/validate', { ...post, cert: client, key: clientKey }, body), 200)
  await at.server.close()
})
