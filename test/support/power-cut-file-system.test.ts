import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FileSystem } from '#base/index.ts'
import { PowerCutFileSystem } from './power-cut-file-system.ts'
import { seededBytes } from './random-image.ts'

async function writeFile(fs: FileSystem, path: string, bytes: Uint8Array, sync: boolean): Promise<void> {
  const file = await fs.open(path, 'create')
  await file.write(bytes, 0)
  if (sync) await file.sync()
  await file.close()
}

async function readFile(fs: FileSystem, path: string): Promise<Buffer | undefined> {
  if (!(await fs.stat(path))) return undefined
  const file = await fs.open(path, 'read')
  const bytes = Buffer.alloc(await file.size())
  assert.equal(await file.read(bytes, 0), bytes.length)
  await file.close()
  return bytes
}

const old = Buffer.alloc(4000, 'o')
const fresh = Buffer.alloc(5000, 'f')

/** What the disk looks like after each of many cuts. */
async function outcomes(
  act: (fs: PowerCutFileSystem) => Promise<void>,
  look: (fs: PowerCutFileSystem) => Promise<string>,
): Promise<Set<string>> {
  const seen = new Set<string>()
  for (let seed = 0; seed < 200; seed++) {
    const fs = new PowerCutFileSystem({ seed })
    await act(fs)
    seen.add(await look(fs.cut()))
  }
  return seen
}

const nameOf = (bytes: Buffer | undefined): string => {
  if (!bytes) return 'absent'
  if (bytes.length === 0) return 'empty'
  if (bytes.equals(old)) return 'old'
  return bytes.equals(fresh) ? 'fresh' : 'torn'
}

test('what is synced, content and name, survives every cut', async () => {
  const seen = await outcomes(
    async (fs) => {
      await fs.makeDirectory('/a/b')
      await writeFile(fs, '/a/b/c', fresh, true)
      await fs.syncDirectory('/a/b')
    },
    async (fs) => nameOf(await readFile(fs, '/a/b/c')),
  )
  assert.deepEqual([...seen], ['fresh'])
})

test('content that is not synced is lost, kept or torn; a name that is not synced lost or kept', async () => {
  const named = await outcomes(
    async (fs) => {
      await writeFile(fs, '/c', fresh, false)
      await fs.syncDirectory('/')
    },
    async (fs) => nameOf(await readFile(fs, '/c')),
  )
  assert.deepEqual([...named].sort(), ['empty', 'fresh', 'torn'])
  const synced = await outcomes(
    (fs) => writeFile(fs, '/c', fresh, true),
    async (fs) => nameOf(await readFile(fs, '/c')),
  )
  assert.deepEqual([...synced].sort(), ['absent', 'fresh'])
})

test('a rename may overtake the content, but never comes in halves', async () => {
  const prepare = async (fs: PowerCutFileSystem, sync: boolean) => {
    await fs.makeDirectory('/d')
    await writeFile(fs, '/d/target', old, true)
    await fs.syncDirectory('/d')
    await writeFile(fs, '/fresh', fresh, sync)
    await fs.syncDirectory('/')
    await fs.rename('/fresh', '/d/target')
  }
  const look = async (fs: PowerCutFileSystem) =>
    `${nameOf(await readFile(fs, '/fresh'))} ${nameOf(await readFile(fs, '/d/target'))}`
  assert.deepEqual([...(await outcomes((fs) => prepare(fs, true), look))].sort(), [
    'absent fresh',
    'fresh old',
  ])
  const reordered = await outcomes((fs) => prepare(fs, false), look)
  assert.ok(reordered.has('absent torn') && reordered.has('absent empty'), [...reordered].join(', '))
})

test('links and removals last once their directory is synced, and links share their content', async () => {
  const seen = await outcomes(
    async (fs) => {
      await writeFile(fs, '/a', old, true)
      await fs.syncDirectory('/')
      await fs.link('/a', '/b')
      await fs.remove('/a')
      await assert.rejects(fs.link('/b', '/b'), { code: 'FILE_SYSTEM' })
    },
    async (fs) => `${nameOf(await readFile(fs, '/a'))} ${nameOf(await readFile(fs, '/b'))}`,
  )
  assert.ok(seen.has('absent old') && seen.has('old absent') && seen.has('old old'), [...seen].join(', '))
  const lasting = await outcomes(
    async (fs) => {
      await writeFile(fs, '/a', old, true)
      await fs.link('/a', '/b')
      await fs.remove('/a')
      await fs.syncDirectory('/')
    },
    async (fs) => `${nameOf(await readFile(fs, '/a'))} ${nameOf(await readFile(fs, '/b'))}`,
  )
  assert.deepEqual([...lasting], ['absent old'])
})

test('a kill loses nothing, and what was not synced is still at risk', async () => {
  const seen = new Set<string>()
  for (let seed = 0; seed < 100; seed++) {
    const before = new PowerCutFileSystem({ seed })
    await writeFile(before, '/c', fresh, false)
    const after = before.kill()
    assert.equal(nameOf(await readFile(after, '/c')), 'fresh')
    await assert.rejects(before.stat('/c'), { code: 'FILE_SYSTEM' })
    seen.add(nameOf(await readFile(after.cut(), '/c')))
  }
  assert.deepEqual([...seen].sort(), ['absent', 'empty', 'fresh', 'torn'])
})

test('the crash comes at its operation, and every later one fails', async () => {
  const dry = new PowerCutFileSystem()
  await writeFile(dry, '/c', fresh, true)
  assert.equal(dry.operations, 3)
  for (let crashAt = 1; crashAt <= 3; crashAt++) {
    const fs = new PowerCutFileSystem({ crashAt })
    await assert.rejects(writeFile(fs, '/c', fresh, true), { code: 'FILE_SYSTEM' })
    assert.ok(fs.hasCrashed)
    await assert.rejects(fs.syncDirectory('/'), { code: 'FILE_SYSTEM' })
    await assert.rejects(fs.list('/'), { code: 'FILE_SYSTEM' })
  }
})

test('a directory that another process made is durable once makeDirectory resolves', async () => {
  for (let crashAt = 1; crashAt <= 4; crashAt++) {
    for (let seed = 0; seed < 20; seed++) {
      const first = new PowerCutFileSystem({ crashAt, seed })
      await assert.rejects(first.makeDirectory('/a/b'), { code: 'FILE_SYSTEM' })
      const second = first.kill()
      await second.makeDirectory('/a/b')
      assert.equal((await second.cut().stat('/a/b'))?.kind, 'directory')
    }
  }
})

test('a full disk is told as that, with what fitted in the file', async () => {
  const fs = new PowerCutFileSystem({ fullAfterBytes: 100 })
  await assert.rejects(writeFile(fs, '/c', fresh, true), { code: 'DISK_FULL' })
  assert.equal((await fs.stat('/c'))?.sizeBytes, 100)
  assert.ok((await fs.freeBytes()) > 2 ** 30)
})

test('what is absent, in the way or not a directory is told as node:fs tells it', async () => {
  const fs = new PowerCutFileSystem()
  const errno = (wanted: string) => (error: { code?: string; detail?: { errno?: string } }) =>
    error.code === 'FILE_SYSTEM' && error.detail?.errno === wanted
  await assert.rejects(fs.open('/none', 'read'), errno('ENOENT'))
  await assert.rejects(fs.open('/none/file', 'create'), errno('ENOENT'))
  await assert.rejects(fs.rename('/none', '/other'), errno('ENOENT'))
  await writeFile(fs, '/file', old, false)
  await assert.rejects(fs.open('/file', 'exclusive'), errno('EEXIST'))
  await assert.rejects(fs.makeDirectory('/file/sub'), errno('ENOTDIR'))
  await fs.makeDirectory('/d/e')
  await assert.rejects(fs.remove('/d'), errno('ENOTEMPTY'))
  await assert.rejects(fs.rename('/file', '/d'), errno('EISDIR'))
  await assert.rejects(fs.open('/d', 'read'), errno('EISDIR'))
  assert.equal(await fs.touch('/none'), false)
  assert.equal(await fs.touch('/file'), true)
  await fs.remove('/none')
  assert.deepEqual(await fs.list('/none'), [])
  assert.deepEqual(
    (await fs.list('/')).map(({ name, kind }) => `${name} ${kind}`),
    ['d directory', 'file file'],
  )
  const file = await fs.open('/file', 'update')
  await file.truncate(10)
  await file.write(seededBytes('x', 5), 20)
  const bytes = await readFile(fs, '/file')
  assert.deepEqual(bytes, Buffer.concat([old.subarray(0, 10), Buffer.alloc(10), seededBytes('x', 5)]))
  await file.close()
  await assert.rejects(file.size(), errno('EBADF'))
})
