import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type FileSystem, isFailure, nodeFileSystem } from '#base/index.ts'
import { idSource } from './ids.ts'
import { InstallationLock, type LockWorld } from './lock.ts'

const base = mkdtempSync(join(tmpdir(), 'sealift-lock-'))
after(() => rmSync(base, { recursive: true, force: true }))
const ids = idSource()
const dead = new Set<number>()
const world = (pid: number, fileSystem: FileSystem = nodeFileSystem): LockWorld => ({
  fileSystem,
  self: { bootId: 'b', pid, startTicks: '1' },
  isAlive: (owner) => !dead.has(owner.pid),
  newId: () => ids.next(),
})
const busy = (error: unknown) => isFailure(error, 'INSTALLATION_BUSY')

test('a dead holder is followed, a living one is not', async () => {
  const directory = join(base, 'one')
  await InstallationLock.acquire(directory, world(1))
  await assert.rejects(InstallationLock.acquire(directory, world(2)), busy)
  dead.add(1)
  const second = await InstallationLock.acquire(directory, world(2))
  await assert.rejects(InstallationLock.acquire(directory, world(3)), busy)
  await second[Symbol.asyncDispose]()
  await InstallationLock.acquire(directory, world(3))
  assert.deepEqual(readdirSync(directory), ['lock-0000000003'])
})

test('one who looked long ago and acts late does not take what is taken since', async () => {
  const directory = join(base, 'late')
  dead.add(10)
  await InstallationLock.acquire(directory, world(10))
  let arrived!: () => void
  let goOn!: () => void
  const atTheLink = new Promise<void>((resolve) => {
    arrived = resolve
  })
  const allowed = new Promise<void>((resolve) => {
    goOn = resolve
  })
  const slow: FileSystem = {
    ...nodeFileSystem,
    async link(from, to) {
      arrived()
      await allowed
      return nodeFileSystem.link(from, to)
    },
  }
  const late = InstallationLock.acquire(directory, world(11, slow))
  await atTheLink
  // Meanwhile others have the number that the late one wants, let go, and the next; the first is removed again.
  const second = await InstallationLock.acquire(directory, world(12))
  await second[Symbol.asyncDispose]()
  const third = await InstallationLock.acquire(directory, world(13))
  goOn()
  await assert.rejects(late, busy)
  await assert.rejects(InstallationLock.acquire(directory, world(14)), busy)
  await third[Symbol.asyncDispose]()
  assert.deepEqual(readdirSync(directory), ['lock-0000000003'])
})
