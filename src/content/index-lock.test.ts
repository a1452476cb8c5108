import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
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
  await writeFile(join(path, 'lock'), 'dead')
  const longAgo = new Date(Date.now() - 86_400_000)
  await utimes(join(path, 'lock'), longAgo, longAgo)
  await writeFile(join(path, 'lock.dead'), 'dead')
  await utimes(join(path, 'lock.dead'), longAgo, longAgo)
  await hold('d')
  assert.equal(order.at(-1), 'd out')
  assert.deepEqual(await readdir(path), [])
  await writeFile(join(path, 'lock'), 'a living one, as far as anybody can tell')
  const stop = AbortSignal.timeout(30)
  await assert.rejects(
    withIndexLock(nodeFileSystem, path, async () => undefined, stop),
    { name: 'TimeoutError' },
  )
})
