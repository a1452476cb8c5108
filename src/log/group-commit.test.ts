import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isFailure, limits } from '#base/index.ts'
import { GroupCommit } from './group-commit.ts'
import type { Checkpoint } from './types.ts'

const checkpoint: Checkpoint = { origin: 'o', size: 1, root: new Uint8Array(32), note: '' }

/** Keeps what was committed, in groups; one commit takes some turns of the event loop. */
function collector() {
  const groups: Uint8Array[][] = []
  let first = 0
  const commit = async (entries: readonly Uint8Array[]) => {
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
    groups.push([...entries])
    first += entries.length
    return { first: first - entries.length, checkpoint }
  }
  return { groups, group: new GroupCommit(commit) }
}

test('what comes while a commit is under way goes together in the next', async () => {
  const { groups, group } = collector()
  const first = group.append(Buffer.of(0))
  await new Promise((resolve) => setImmediate(resolve))
  await new Promise((resolve) => setImmediate(resolve))
  const rest = Array.from({ length: 100 }, (_, at) => group.append(Buffer.of(at)))
  assert.equal((await first).index, 0)
  assert.deepEqual(
    (await Promise.all(rest)).map(({ index }) => index),
    rest.map((_, at) => at + 1),
  )
  assert.deepEqual(
    groups.map(({ length }) => length),
    [1, 100],
  )
})

test('an entry that comes at any moment is written', async () => {
  const { group } = collector()
  // Appends from every microtask around the end of a commit: none may be left waiting for another to come.
  for (let ticks = 0; ticks < 30; ticks++) {
    await group.append(Buffer.of(1))
    for (let tick = 0; tick < ticks; tick++) await undefined
  }
  const last = group.append(Buffer.of(2)).then(async () => {
    for (let tick = 0; tick < 6; tick++) await group.append(Buffer.of(3))
  })
  await Promise.race([
    last,
    new Promise((_, reject) => setTimeout(() => reject(new Error('an entry was left behind')), 5000).unref()),
  ])
})

test('the caller may go on with its buffer', async () => {
  const { groups, group } = collector()
  const buffer = Buffer.from('one')
  const appended = group.append(buffer)
  buffer.fill('x')
  await appended
  assert.equal(Buffer.from(groups[0]![0]!).toString(), 'one')
})

test('a group has at most so many entries and bytes', async () => {
  const { groups, group } = collector()
  const many = Array.from({ length: limits.logGroupEntries + 1 }, () => group.append(Buffer.of(1)))
  await Promise.all(many)
  assert.deepEqual(
    groups.map(({ length }) => length),
    [limits.logGroupEntries, 1],
  )
  groups.length = 0
  const large = Buffer.alloc(limits.logEntryBytes)
  const fits = Math.floor(limits.logGroupBytes / large.length)
  await Promise.all(Array.from({ length: fits + 1 }, () => group.append(large)))
  assert.deepEqual(
    groups.map(({ length }) => length),
    [fits, 1],
  )
})

test('a failure is told to all of its group, and the next one is tried', async () => {
  let isBroken = true
  const group = new GroupCommit(async () => {
    if (isBroken) throw new Error('broken')
    return { first: 0, checkpoint }
  })
  const told = await Promise.allSettled([group.append(Buffer.of(1)), group.append(Buffer.of(2))])
  assert.deepEqual(
    told.map(({ status }) => status),
    ['rejected', 'rejected'],
  )
  isBroken = false
  assert.equal((await group.append(Buffer.of(1))).index, 0)
})

test('closing waits for what was taken, and takes no more', async () => {
  const { groups, group } = collector()
  const appended = group.append(Buffer.of(1))
  await group.close()
  assert.equal(groups.length, 1)
  assert.equal((await appended).index, 0)
  await assert.rejects(group.append(Buffer.of(1)), (error) => isFailure(error, 'LOG_CLOSED'))
})
