import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesOf, podOf, reviewOf, TestGate, TestSubjects } from '../admission.suite.ts'
import { parseReview } from '../review/review.ts'
import { Admission } from './admission.ts'

const never = new AbortController().signal
const host = 'registry.example/shop'

function setUp() {
  const gate = new TestGate()
  const subjects = new TestSubjects()
  const admission = new Admission({
    gate,
    subjects,
    environmentOf: (namespace, asked) => (namespace === 'pinned' ? 'build' : (asked ?? 'production')),
    rules: () => ({ policy: 'sha256:p', trust: 'sha256:t' }),
  })
  const review = (object: unknown, request = {}) => parseReview(bytesOf(reviewOf(object, request)))
  const validate = (object: unknown, request = {}) =>
    admission.validate(review(object, request), undefined, never)
  const mutate = (object: unknown, request = {}) => admission.mutate(review(object, request), never)
  return { gate, subjects, admission, review, validate, mutate }
}

test('a signed pod is admitted, with one question for all of its containers', async () => {
  const { gate, subjects, validate } = setUp()
  const web = `${host}/web@${subjects.add(`${host}/web:1`, true)}`
  const db = `${host}/db@${subjects.add(`${host}/db:1`, true)}`
  const answer = await validate(podOf(web, db, web))
  assert.equal(answer.allowed, true)
  assert.deepEqual(answer.audit, {
    decision: 'admitted',
    environment: 'production',
    entry: '0',
    policy: 'sha256:p',
    trust: 'sha256:t',
  })
  assert.equal(gate.questions.length, 1)
  const [question] = gate.questions
  assert.equal(question?.action, 'admit')
  assert.deepEqual(
    question?.subjects.map(({ reference, digest }) => `${reference}@${digest}`),
    [web, db],
  )
  assert.deepEqual(question?.principal, { kind: 'user', name: 'jo', groups: ['system:authenticated'] })
  assert.deepEqual(question?.context, {
    namespace: 'shop',
    kind: '/v1/Pod',
    name: 'web',
    operation: 'CREATE',
  })
})

test('a denial has a line for each image: where it is, what is missing, what would help', async () => {
  const { subjects, validate } = setUp()
  const good = `${host}/good@${subjects.add(`${host}/good:1`, true)}`
  const bad = `${host}/bad@${subjects.add(`${host}/bad:1`, false)}`
  const answer = await validate(podOf(good, bad))
  assert.equal(answer.allowed, false)
  assert.equal(answer.code, 403)
  assert.deepEqual(answer.lines.slice(1), [
    `container c1 (${bad}): nobody has signed it [SIGNATURE_MISSING]; sign it with the release key`,
  ])
  assert.equal(answer.audit?.reasons, 'SIGNATURE_MISSING')
  assert.equal(answer.audit?.entry, '0')
  assert.equal(subjects.doubted.length, 2, 'what was refused is looked for again soon')
})

test('what cannot be looked up is denied without asking: tags, unknown images, no references, no mirror', async () => {
  const { gate, subjects, validate } = setUp()
  const good = `${host}/good@${subjects.add(`${host}/good:1`, true)}`
  const unknown = `${host}/x@sha256:${'0'.repeat(64)}`
  const answer = await validate(podOf(good, `${host}/good:1`, unknown, 'UPPER/Case:x:y', '', 'a\u001b[2Jb'))
  assert.equal(answer.allowed, false)
  assert.equal(answer.audit?.reasons, 'IMAGE_REFERENCE_INVALID,IMAGE_NOT_PINNED,IMAGE_NOT_FOUND')
  assert.equal(answer.lines.length, 6)
  for (const line of answer.lines) assert.ok(!line.includes('\n') && !line.includes('\u001b'))
  subjects.down = true
  assert.equal((await validate(podOf(good))).audit?.reasons, 'MIRROR_UNAVAILABLE')
  assert.equal(gate.questions.length, 0)
})

test('tags become digests, the rest stays; what is not known is warned of', async () => {
  const { subjects, mutate } = setUp()
  const digest = subjects.add(`${host}/web:1`, true)
  const latest = subjects.add('docker.io/library/busybox:latest', true)
  const answer = await mutate(
    podOf(`${host}/web:1`, `${host}/web@${digest}`, 'busybox', `${host}/none:1`, `${host}/web:1`),
  )
  assert.equal(answer.allowed, true)
  assert.deepEqual(answer.patch, [
    { op: 'replace', path: '/spec/containers/0/image', value: `${host}/web:1@${digest}` },
    { op: 'replace', path: '/spec/containers/4/image', value: `${host}/web:1@${digest}` },
    { op: 'replace', path: '/spec/containers/2/image', value: `busybox@${latest}` },
  ])
  assert.equal(answer.warnings?.length, 1)
  assert.match(answer.warnings?.[0] ?? '', /none:1.*IMAGE_NOT_FOUND/)
})

test('a deletion and an update without a new image ask nobody', async () => {
  const { gate, subjects, validate, mutate } = setUp()
  subjects.down = true
  const pod = podOf(`${host}/old:1`)
  for (const request of [
    { operation: 'DELETE', object: null, oldObject: pod },
    { operation: 'UPDATE', oldObject: pod },
    { operation: 'CONNECT', object: { kind: 'PodExecOptions' } },
  ]) {
    const answer = await validate(pod, request)
    assert.equal(answer.allowed, true)
    assert.match(answer.audit?.decision ?? '', /^not asked/)
    assert.deepEqual((await mutate(pod, request)).patch, [])
  }
  assert.equal(gate.questions.length, 0)
})

test('the environment is what the namespace says; dryRun leaves no entry', async () => {
  const { gate, subjects, admission, review } = setUp()
  const pod = podOf(`${host}/web@${subjects.add(`${host}/web:1`, true)}`)
  await admission.validate(review(pod), 'trial', never)
  await admission.validate(review(pod, { namespace: 'pinned' }), 'trial', never)
  assert.deepEqual(
    gate.questions.map(({ environment }) => environment),
    ['trial', 'build'],
  )
  const answer = await admission.validate(review(pod, { dryRun: true }), undefined, never)
  assert.equal(answer.allowed, true)
  assert.equal(gate.questions[2]?.dryRun, true)
  assert.equal(answer.audit?.entry, undefined)
})

test('an object is told by its name, or by what one will be made from', async () => {
  const { gate, subjects, validate } = setUp()
  const pod = podOf(`${host}/web@${subjects.add(`${host}/web:1`, true)}`)
  const ask = async (name: string, generateName: unknown) => {
    await validate({ ...pod, metadata: { generateName } }, { name })
    const { namespace: _, kind: __, operation: ___, ...named } = Object(gate.questions.at(-1)?.context)
    return named
  }
  assert.deepEqual(await ask('web-7d4b9-x2k5z', 'web-7d4b9-'), { name: 'web-7d4b9-x2k5z' })
  assert.deepEqual(await ask('', 'web-'), { generateName: 'web-' })
  assert.deepEqual(await ask('', ['web-']), { name: '' })
})
