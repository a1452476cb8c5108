// The file store where the power is cut, a process is killed, the disk fills up, and other processes write too.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { isFailure, lockDirectory, nodeFileSystem } from '#base/index.ts'
import { crashEverywhere, fillEverywhere, type Undertaking } from '../../../test/support/crash-everywhere.ts'
import { PowerCutFileSystem } from '../../../test/support/power-cut-file-system.ts'
import { openFileStore } from './file-store.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const failsWith = (code: string) => (error: unknown) => isFailure(error, code)
const folder = mkdtempSync(join(tmpdir(), 'sealift-file-store-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const old = bytes('old '.repeat(2000))
const fresh = bytes('new '.repeat(3000))

/** Sets a key to a value or to nothing, whatever it had before. */
async function set(fs: PowerCutFileSystem, key: string, value: Uint8Array | null): Promise<void> {
  const store = await openFileStore(fs, '/s')
  const stored = await store.read(key)
  const isThere = stored !== undefined && value !== null && Buffer.from(stored.value).equals(value)
  if (isThere || (stored === undefined && value === null)) return
  assert.ok(await store.compareAndSet(key, stored?.revision, value))
}

/** A change of `a/b`, beside which `a/c` and `a` stay what they are. */
const change = (before: Uint8Array | null, to: Uint8Array | null): Undertaking => ({
  async before(fs) {
    await set(fs, 'a', old)
    await set(fs, 'a/c', old)
    await set(fs, 'a/b', before)
  },
  run: (fs) => set(fs, 'a/b', to),
  async check(fs, isDone) {
    const store = await openFileStore(fs, '/s')
    for (const key of ['a', 'a/c']) assert.deepEqual((await store.read(key))?.value, old)
    const value = (await store.read('a/b'))?.value
    const right = isDone ? [to] : [before, to]
    assert.ok(
      right.some((some) => (some === null ? value === undefined : value && Buffer.from(value).equals(some))),
      'the value is the one before or the new one, and the new one once that was said',
    )
    const keys = await store.list('')
    assert.deepEqual(keys, value ? ['a', 'a/b', 'a/c'] : ['a', 'a/c'])
  },
})

const changes = [
  ['made', null, fresh],
  ['replaced', old, fresh],
  ['removed', old, null],
] as const
for (const [what, before, to] of changes) {
  test(`a power cut or a kill at any point while a value is ${what} leaves the one before or the new one`, async () => {
    await crashEverywhere(change(before, to), { seed: 7 })
  })
}

test('a disk that fills up keeps the value before', async () => {
  await fillEverywhere(change(old, fresh), [0, 1, 100, 5000])
})

test('a file that was cut short or changed is told as damaged, without a word of it', async () => {
  const fs = new PowerCutFileSystem()
  const store = await openFileStore(fs, '/s')
  await store.compareAndSet('a', undefined, bytes('planted secret'))
  const file = await fs.open('/s/values/=a', 'update')
  const size = await file.size()
  for (const at of [0, 20, 60, size - 1]) {
    const byte = new Uint8Array(1)
    await file.read(byte, at)
    await file.write(Uint8Array.of(byte[0]! ^ 1), at)
    await assert.rejects(store.read('a'), failsWith('SECRET_DAMAGED'))
    await file.write(byte, at)
  }
  await file.truncate(size - 1)
  await assert.rejects(
    store.read('a'),
    (error: Error) => !`${error.message}${error.stack}`.includes('planted'),
  )
  await file.close()
  assert.equal(await store.compareAndSet('a', undefined, bytes('x')), undefined)
  const damage = await store.read('a').catch((error: unknown) => error)
  assert.ok(isFailure(damage, 'SECRET_DAMAGED'))
  assert.ok(await store.compareAndSet('a', damage.detail.revision as string, bytes('whole again')))
  assert.deepEqual((await store.read('a'))?.value, bytes('whole again'))
})

test('a store that another process holds is told as busy, and free again when that one ends', async () => {
  const path = join(folder, 'busy')
  const store = await openFileStore(nodeFileSystem, path, { busyMs: 30 })
  const lock = await lockDirectory(nodeFileSystem, path, { waitMs: 0 })
  await assert.rejects(store.compareAndSet('a', undefined, bytes('x')), failsWith('SECRET_STORE_BUSY'))
  assert.equal(await store.read('a'), undefined)
  await lock?.release()
  assert.ok(await store.compareAndSet('a', undefined, bytes('x')))
})

test('processes that count at once lose nothing, with files and with SQLite', async () => {
  for (const kind of ['files', 'sqlite']) {
    const path = join(folder, kind)
    const worker = join(import.meta.dirname, '..', '..', '..', 'test', 'support', 'secret-store-worker.ts')
    const children = [1, 2, 3].map(() =>
      spawn(process.execPath, [worker, kind, path, '10'], { stdio: ['ignore', 'ignore', 'inherit'] }),
    )
    const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]))
    assert.deepEqual(codes, [0, 0, 0])
    const { openStore } = await import('../../../test/support/secret-store-worker.ts')
    const store = await openStore(kind, path)
    assert.equal(Buffer.from((await store.read('count'))!.value).toString(), '30')
    await (store as Partial<AsyncDisposable>)[Symbol.asyncDispose]?.()
  }
})
