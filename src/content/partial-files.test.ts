import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { nodeFileSystem } from '#base/index.ts'
import { digestOf } from '#oci/index.ts'
import { PartialFiles } from './partial-files.ts'

const digest = digestOf(Buffer.from('some content'))

test('the folder may go while another attempt begins', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-partial-'))
  t.after(() => rm(folder, { recursive: true }))
  const directory = join(folder, 'work')
  let removals = 3
  const fs = {
    ...nodeFileSystem,
    open: async (path: string, mode: Parameters<typeof nodeFileSystem.open>[1]) => {
      if (removals-- > 0) await nodeFileSystem.remove(directory)
      return nodeFileSystem.open(path, mode)
    },
  }
  const partial = await new PartialFiles(fs, directory).begin(digest)
  await partial.file.write(Buffer.from('half'), 0)
  await partial[Symbol.asyncDispose]()
  await using next = await new PartialFiles(nodeFileSystem, directory).begin(digest)
  assert.equal(await next.file.size(), 4)
})

test('what is left of contents that have arrived is removed, what may still be wanted is not', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-partial-'))
  t.after(() => rm(folder, { recursive: true }))
  const files = new PartialFiles(nodeFileSystem, join(folder, 'work'))
  const other = digestOf(Buffer.from('other'))
  for (const each of [digest, other]) await (await files.begin(each))[Symbol.asyncDispose]()
  const isHeld = async (stem: string) => stem === digest.replace(':', '-')
  const living = await files.begin(digest)
  await files.tidy(isHeld)
  assert.equal((await readdir(join(folder, 'work'))).length, 2)
  await living[Symbol.asyncDispose]()
  await files.tidy(isHeld)
  assert.deepEqual(
    (await readdir(join(folder, 'work'))).map((name) => name.split('.')[0]),
    [other.replace(':', '-')],
  )
  await files.tidy(async () => true)
  assert.deepEqual(await readdir(folder), [])
})
