import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { isFailure, nodeFileSystem } from './index.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealift-fs-'))
})
after(() => rm(folder, { recursive: true }))

const errno = (wanted: string) => (error: unknown) =>
  isFailure(error, 'FILE_SYSTEM') && error.detail.errno === wanted

/** The directories that one call of makeDirectory brings to the disk. */
async function syncedBy(path: string): Promise<string[]> {
  const synced: string[] = []
  const { syncDirectory } = nodeFileSystem
  nodeFileSystem.syncDirectory = async (directory) => {
    synced.push(directory)
    await syncDirectory(directory)
  }
  try {
    await nodeFileSystem.makeDirectory(path)
    return synced
  } finally {
    nodeFileSystem.syncDirectory = syncDirectory
  }
}

test('a directory that was made by another process is synced with its parents, once', async () => {
  const path = join(folder, 'a/b/c')
  await mkdir(path, { recursive: true })
  const synced = await syncedBy(path)
  for (const parent of ['a/b', 'a', '']) assert.ok(synced.includes(join(folder, parent)), parent)
  assert.deepEqual(await syncedBy(path), [])
  // Another directory of the same name is another directory.
  await rename(join(folder, 'a'), join(folder, 'away'))
  await mkdir(path, { recursive: true })
  assert.ok((await syncedBy(path)).length >= 3)
})

test('a directory is made with its parents, and a file in the way is told', async () => {
  await nodeFileSystem.makeDirectory(join(folder, 'x/y/z'))
  assert.deepEqual(await readdir(join(folder, 'x/y')), ['z'])
  await writeFile(join(folder, 'file'), '')
  await assert.rejects(nodeFileSystem.makeDirectory(join(folder, 'file')), errno('EEXIST'))
  await assert.rejects(nodeFileSystem.makeDirectory(join(folder, 'file/sub')), errno('ENOTDIR'))
})
