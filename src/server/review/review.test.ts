import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { admissionLimits, isFailure, type Json } from '#base/index.ts'
import { bytesOf, podOf, reviewOf } from '../admission.suite.ts'
import { imagesIn, newImages } from './images.ts'
import { type JsonObject, parseReview } from './review.ts'

const parse = (value: unknown, limits = {}) => parseReview(bytesOf(value), { ...admissionLimits, ...limits })

test('a review is read, its user told apart', () => {
  const review = parse(reviewOf(podOf('a/b@sha256:1')))
  assert.equal(review.kind, '/v1/Pod')
  assert.deepEqual(review.principal, { kind: 'user', name: 'jo', groups: ['system:authenticated'] })
  const of = (username: string) => parse(reviewOf(podOf(), { userInfo: { username } })).principal
  assert.deepEqual(of('system:serviceaccount:shop:deployer'), {
    kind: 'service',
    name: 'shop:deployer',
    groups: [],
  })
  assert.deepEqual(of('system:anonymous'), { kind: 'anonymous', name: '', groups: [] })
  assert.equal(parse(reviewOf(podOf(), { dryRun: true })).dryRun, true)
})

test('what is no AdmissionReview v1 is refused', () => {
  const good = reviewOf(podOf())
  const bad: [string, unknown][] = [
    ['another version', { ...good, apiVersion: 'admission.k8s.io/v1beta1' }],
    ['another kind', { ...good, kind: 'Pod' }],
    ['no request', { ...good, request: null }],
    ['a list', [good]],
    ['no uid', reviewOf(podOf(), { uid: '' })],
    ['a uid that is no text', reviewOf(podOf(), { uid: { toString: 'x' } })],
    ['a uid that is too long', reviewOf(podOf(), { uid: 'u'.repeat(admissionLimits.uidLength + 1) })],
    ['no operation', reviewOf(podOf(), { operation: 'PATCH' })],
    ['dryRun as a text', reviewOf(podOf(), { dryRun: 'false' })],
    ['no kind', reviewOf(podOf(), { kind: null })],
    ['half a kind', reviewOf(podOf(), { kind: { group: '', kind: 'Pod' } })],
    ['a user that is none', reviewOf(podOf(), { userInfo: ['jo'] })],
    ['groups that are none', reviewOf(podOf(), { userInfo: { username: 'jo', groups: 'admin' } })],
    ['an object that is a text', reviewOf('pod')],
    ['a name that is a number', reviewOf(podOf(), { name: 7 })],
  ]
  for (const [what, value] of bad) assert.throws(() => parse(value), { code: 'REVIEW_INVALID' }, what)
})

test('duplicate keys and deep nesting are refused, size at the limit and one beyond', () => {
  const text = JSON.stringify(reviewOf(podOf('good')))
  const twice = text.replace('"image":"good"', '"image":"good","image":"evil"')
  assert.throws(() => parseReview(Buffer.from(twice)), { code: 'REVIEW_INVALID' })
  let deep: unknown = 'x'
  for (let depth = 0; depth < 100; depth++) deep = { deep }
  assert.throws(() => parse(reviewOf(deep)), { code: 'REVIEW_INVALID' })
  const padded = (length: number) =>
    Buffer.concat([Buffer.from(text), Buffer.alloc(length - text.length, ' ')])
  assert.equal(parseReview(padded(admissionLimits.reviewBytes)).uid.length, 36)
  assert.throws(() => parseReview(padded(admissionLimits.reviewBytes + 1)), { code: 'REVIEW_TOO_LARGE' })
})

const container = (name: string, image: string) => ({ name, image })
const spec = {
  initContainers: [container('setup', 'i/setup')],
  containers: [container('web', 'i/web')],
  ephemeralContainers: [container('debug', 'i/debug')],
  volumes: [
    { name: 'models', image: { reference: 'i/models', pullPolicy: 'Always' } },
    { name: 'tmp', emptyDir: {} },
  ],
}
const all = ['i/setup', 'i/web', 'i/debug', 'i/models']

test('every image of every kind that holds pods is found, with the place where it is', () => {
  const template = { metadata: {}, spec }
  const kinds: Record<string, Json> = {
    '/v1/Pod': { spec },
    '/v1/PodTemplate': { template },
    '/v1/ReplicationController': { spec: { template } },
    'apps/v1/Deployment': { spec: { template } },
    'apps/v1/StatefulSet': { spec: { template } },
    'apps/v1/DaemonSet': { spec: { template } },
    'apps/v1/ReplicaSet': { spec: { template } },
    'batch/v1/Job': { spec: { template } },
    'batch/v1/CronJob': { spec: { jobTemplate: { spec: { template } } } },
    'example.com/v1/Rollout': { spec: { template } },
    'example.com/v1/Workflow': { steps: [{ 'a/b~c': { pod: spec } }] },
  }
  for (const [kind, object] of Object.entries(kinds)) {
    const uses = imagesIn(kind, object as JsonObject)
    assert.deepEqual(uses.map(({ image }) => image).sort(), [...all].sort(), kind)
    for (const { pointer, image } of uses) assert.equal(atPointer(object, pointer), image, pointer)
  }
  assert.deepEqual(imagesIn('/v1/ReplicationController', { spec: { replicas: 1 } }), [])
  assert.deepEqual(imagesIn('/v1/ConfigMap', { data: { containers: 'none' } }), [])
})

test('pods of another shape are refused, not skipped', () => {
  const bad: Json[] = [
    { containers: {} },
    { containers: 'web' },
    { containers: ['web'] },
    { containers: [{ image: 'no-name' }] },
    { containers: [{ name: 'web', image: ['a'] }] },
    { Containers: [container('web', 'i/web')] },
    { containers: [{ name: 'web', Image: 'i/web' }] },
    { containers: [], volumes: [{ name: 'v', image: 'text' }] },
    'spec',
  ]
  for (const pod of bad) {
    assert.throws(() => imagesIn('/v1/Pod', { spec: pod }), { code: 'REVIEW_INVALID' }, JSON.stringify(pod))
  }
  assert.throws(() => imagesIn('/v1/Pod', {}), { code: 'REVIEW_INVALID' })
  assert.throws(() => imagesIn('apps/v1/Deployment', { spec: [] as unknown as Json }), {
    code: 'REVIEW_INVALID',
  })
  assert.deepEqual(imagesIn('/v1/Pod', { spec: { containers: null } }), [])
})

test('containers are counted: at the limit, and one beyond', () => {
  const pod = (count: number) => ({ spec: { containers: Array(count).fill(container('c', 'i/web')) } })
  assert.equal(imagesIn('/v1/Pod', pod(admissionLimits.images)).length, admissionLimits.images)
  assert.throws(() => imagesIn('/v1/Pod', pod(admissionLimits.images + 1)), { code: 'REVIEW_TOO_LARGE' })
  assert.throws(() => imagesIn('/v1/Pod', pod(1000)), { code: 'REVIEW_TOO_LARGE' })
})

test('on UPDATE only what the same container did not have before is new', () => {
  const review = (now: Json, before: Json, operation = 'UPDATE') =>
    parse(reviewOf({ spec: now }, { operation, oldObject: { spec: before } }))
  const pod = (web: string, side: string) => ({
    containers: [container('web', web), container('side', side)],
  })
  const images = (value: ReturnType<typeof review>) => newImages(value).map(({ image }) => image)
  assert.deepEqual(images(review(pod('a', 'b'), pod('a', 'b'))), [])
  assert.deepEqual(images(review(pod('a', 'c'), pod('a', 'b'))), ['c'])
  // An image moved to another container is asked about again.
  assert.deepEqual(images(review(pod('b', 'a'), pod('a', 'b'))), ['b', 'a'])
  assert.deepEqual(images(review(pod('a', 'b'), pod('a', 'b'), 'CREATE')), ['a', 'b'])
  assert.deepEqual(
    newImages(parse(reviewOf(null, { operation: 'DELETE', oldObject: { spec: pod('a', 'b') } }))),
    [],
  )
})

test('the walker gives images or a code, whatever it is given', () => {
  const names = ['spec', 'template', 'containers', 'initContainers', 'volumes', 'image', 'reference', 'name']
  const key = fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...names) }, fc.string({ maxLength: 4 }))
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'medium', maxDepth: 8 },
      fc.constantFrom<Json>('x', 1, null, true, ''),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(key, tie('tree'), { maxKeys: 4 }),
    ),
  }))
  const kinds = fc.constantFrom('/v1/Pod', 'apps/v1/Deployment', 'batch/v1/CronJob', 'x.y/v1/Z')
  fc.assert(
    fc.property(kinds, fc.dictionary(key, tree as fc.Arbitrary<Json>), (kind, object) => {
      try {
        for (const { pointer, image } of imagesIn(kind, object as JsonObject)) {
          assert.equal(atPointer(object as Json, pointer) ?? '', image)
        }
      } catch (error) {
        assert.ok(isFailure(error, 'REVIEW_INVALID'), String(error))
      }
    }),
    { numRuns: 500 },
  )
})

test('an image that is put anywhere in a pod is found, whatever else is there', () => {
  const filler = fc.dictionary(fc.string({ maxLength: 6 }), fc.jsonValue({ maxDepth: 2 }))
  const list = fc.constantFrom('containers', 'initContainers', 'ephemeralContainers')
  fc.assert(
    fc.property(filler, list, fc.nat(5), (extra, where, before) => {
      const others = Array.from({ length: before }, (_, at) => container(`c${at}`, 'i/other'))
      const pod = { ...extra, [where]: [...others, container('needle', 'i/needle')] }
      for (const key of Object.keys(extra)) if (key.toLowerCase() in { containers: 1, volumes: 1 }) return
      const found = imagesIn('x.y/v1/Z', { deep: [{ down: pod as Json }] })
      assert.equal(found.filter(({ image }) => image === 'i/needle').length, 1)
    }),
  )
})

function atPointer(value: Json, pointer: string): Json | undefined {
  let here: Json | undefined = value
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
    here = (here as { [key: string]: Json })[key]
  }
  return here
}
