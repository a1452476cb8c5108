import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { nodeFileSystem } from '#base/index.ts'
import { withIndexLock } from './index-lock.ts'

test('a lock is waited for, and broken where its holder is dead', async (t) => {
  const path = await mkdtemp(join(tmpdir(), 'sealift-lock-'))
  t.after(() => rm(path, { recursive: true }))
  const order: string[] = []
  const hold = (name: string) =>
    withIndexLock(nodeFileSystem, path, async () => {
      order.push(`${name} in`)
      await new Promise((resolve) => setImmediate(resolve))
      order.push(`${name} out`)
    })
  await Promise.all([hold('a'), hold('b'), hold('c')])
  for (let at = 0; at < 6; at += 2) assert.equal(order[at]?.replace('in', 'out'), order[at + 1])
  const longAgo = new Date(Date.now() - 86_400_000)
  for (const directory of ['lock', 'lock.dead']) {
    await mkdir(join(path, directory))
    await writeFile(join(path, directory, 'dead'), '')
    await utimes(join(path, directory, 'dead'), longAgo, longAgo)
    await utimes(join(path, directory), longAgo, longAgo)
  }
  await hold('d')
  assert.equal(order.at(-1), 'd out')
  assert.deepEqual(await readdir(path), [])
  await mkdir(join(path, 'lock'))
  await writeFile(join(path, 'lock', 'living, as far as anybody can tell'), '')
  const stop = AbortSignal.timeout(30)
  await assert.rejects(
    withIndexLock(nodeFileSystem, path, async () => undefined, stop),
    { name: 'TimeoutError' },
  )
  assert.deepEqual(await readdir(path), ['lock'])
})

test('many holders, whatever is released and broken meanwhile, are never two at once', async (t) => {
  const path = await mkdtemp(join(tmpdir(), 'sealift-lock-'))
  t.after(() => rm(path, { recursive: true }))
  let inside = 0
  let held = 0
  await Promise.all(
    Array.from({ length: 40 }, () =>
      withIndexLock(nodeFileSystem, path, async () => {
        assert.equal(++inside, 1)
        await new Promise((resolve) => setImmediate(resolve))
        held++
        inside--
      }),
    ),
  )
  assert.equal(held, 40)
})
