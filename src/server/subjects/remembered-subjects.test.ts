import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { admissionLimits } from '#base/index.ts'
import { parseReference } from '#oci/index.ts'
import { TestSubjects } from '../admission.suite.ts'
import type { PinnedReference } from '../types.ts'
import { Flights } from './flights.ts'
import { RememberedSubjects } from './remembered-subjects.ts'

const never = new AbortController().signal
const host = 'registry.example/shop'

function setUp(limits = {}) {
  const source = new TestSubjects()
  let now = 1_000_000
  const subjects = new RememberedSubjects(source, { ...admissionLimits, ...limits }, () => now)
  const digest = source.add(`${host}/web:1`, true)
  const reference = parseReference(`${host}/web@${digest}`) as PinnedReference
  return { source, subjects, digest, reference, pass: (ms: number) => (now += ms) }
}

test('what is known is not asked for again until it is old', async () => {
  const { source, subjects, reference, pass } = setUp()
  const first = await subjects.find(reference, never)
  assert.equal(await subjects.find(reference, never), first)
  pass(admissionLimits.refreshMs)
  assert.equal(await subjects.find(reference, never), first)
  assert.equal(source.found.length, 1)
  pass(1)
  await subjects.find(reference, never)
  assert.equal(source.found.length, 2)
  pass(-10_000_000)
  await subjects.find(reference, never)
  assert.equal(source.found.length, 3, 'a clock that was set back makes everything old')
})

test('the background brings a new proof to what is in use, and forgets the rest', async () => {
  const { source, subjects, digest, reference, pass } = setUp()
  source.signed.set(digest, false)
  assert.equal((await subjects.find(reference, never)).proofs.length, 0)
  source.signed.set(digest, true)
  await subjects.refresh()
  assert.equal(source.found.length, 1, 'not due')
  pass(admissionLimits.refreshMs / 2)
  await subjects.refresh()
  assert.equal((await subjects.find(reference, never)).proofs.length, 1)
  assert.deepEqual(subjects.lookups, { hits: 1, misses: 1, refreshed: 1, stale: 0 })
  pass(admissionLimits.unusedMs + 1)
  await subjects.refresh()
  assert.equal(source.found.length, 2, 'nobody uses it')
})

test('after a refusal it is asked for again soon', async () => {
  const { source, subjects, reference, pass } = setUp()
  await subjects.find(reference, never)
  subjects.doubt(reference)
  pass(admissionLimits.absenceMs - 1)
  await subjects.find(reference, never)
  assert.equal(source.found.length, 1)
  pass(1)
  await subjects.find(reference, never)
  assert.equal(source.found.length, 2)
})

test('while the mirror is away what is known holds for a while; what is not there is never remembered', async () => {
  const { source, subjects, reference, pass } = setUp()
  await subjects.find(reference, never)
  source.down = true
  pass(admissionLimits.staleMs)
  assert.equal((await subjects.find(reference, never)).proofs.length, 1)
  assert.equal(subjects.lookups.stale, 1)
  pass(1)
  await assert.rejects(subjects.find(reference, never), { code: 'MIRROR_UNAVAILABLE' })
  const other = parseReference(`${host}/other@sha256:${'1'.repeat(64)}`) as PinnedReference
  await assert.rejects(subjects.find(other, never), { code: 'MIRROR_UNAVAILABLE' })
  source.down = false
  await assert.rejects(subjects.find(other, never), { code: 'IMAGE_NOT_FOUND' })
})

test('what went away from the mirror is not admitted from memory', async () => {
  const { source, subjects, digest, reference, pass } = setUp()
  await subjects.find(reference, never)
  source.signed.delete(digest)
  pass(admissionLimits.refreshMs / 2)
  await subjects.refresh()
  await assert.rejects(subjects.find(reference, never), { code: 'IMAGE_NOT_FOUND' })
})

test('the memory is bounded', async () => {
  const { source, subjects, reference } = setUp({ contents: 2, contentBytes: 1000 })
  await subjects.find(reference, never)
  for (const name of ['a', 'b']) {
    const digest = source.add(`${host}/${name}:1`, true)
    await subjects.find(parseReference(`${host}/${name}@${digest}`) as PinnedReference, never)
  }
  await subjects.find(reference, never)
  assert.equal(source.found.length, 4, 'the first one was let go of')
})

test('the same question at the same time is asked once, and given up with its last asker', async () => {
  const { source, subjects, reference } = setUp()
  let stopped = 0
  source.before = (signal) =>
    wait(20, undefined, { signal }).catch((error) => {
      stopped++
      throw error
    })
  const [one, two] = [new AbortController(), new AbortController()]
  const first = subjects.find(reference, one.signal)
  const second = subjects.find(reference, two.signal)
  one.abort(new Error('gone'))
  await assert.rejects(first, { message: 'gone' })
  assert.equal((await second).proofs.length, 1)
  assert.equal(source.found.length, 1)
  const third = subjects.resolve(parseReference(`${host}/web:1`), two.signal)
  two.abort(new Error('gone too'))
  await assert.rejects(third, { message: 'gone too' })
  await wait(5)
  assert.equal(stopped, 1)
})

test('a flight that failed is not joined afterwards', async () => {
  const flights = new Flights<number>()
  await assert.rejects(
    flights.join('a', never, async () => {
      throw new Error('no')
    }),
    { message: 'no' },
  )
  assert.equal(await flights.join('a', never, async () => 7), 7)
  assert.equal(flights.size, 0)
})
