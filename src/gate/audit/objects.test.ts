import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isFailure } from '#base/index.ts'
import { digestOf } from '#oci/index.ts'
import { crashEverywhere } from '../../../test/support/crash-everywhere.ts'
import { PowerCutFileSystem } from '../../../test/support/power-cut-file-system.ts'
import { DirectoryObjects } from './objects.ts'

const bytes = Buffer.from('{"a":1}')
const digest = digestOf(bytes)

test('what is kept is there, once, and by its digest', async () => {
  const objects = new DirectoryObjects('/audit/objects', new PowerCutFileSystem())
  const kept = await Promise.all([objects.keep(bytes), objects.keep(Buffer.from(bytes))])
  assert.deepEqual(kept, [digest, digest])
  assert.deepEqual(await objects.read(digest), new Uint8Array(bytes))
})

test('what is absent, damaged or too large is told by its code', async () => {
  const fs = new PowerCutFileSystem()
  const objects = new DirectoryObjects('/audit/objects', fs, bytes.length)
  const missing = (error: unknown) => isFailure(error, 'AUDIT_OBJECT_MISSING')
  await assert.rejects(objects.read(digest), missing)
  await objects.keep(bytes)
  await objects.read(digest)
  const tooSmall = new DirectoryObjects('/audit/objects', fs, bytes.length - 1)
  await assert.rejects(tooSmall.read(digest), missing)
  const hex = digest.slice('sha256:'.length)
  const file = await fs.open(`/audit/objects/sha256/${hex.slice(0, 2)}/${hex}`, 'update')
  await file.write(Buffer.from('['), 0)
  await file.close()
  await assert.rejects(objects.read(digest), missing)
})

test('what was kept survives a power cut at any moment', async () => {
  const all = ['one', 'two', 'three'].map((text) => Buffer.from(text))
  await crashEverywhere(
    {
      async run(fs) {
        const objects = new DirectoryObjects('/audit/objects', fs)
        for (const one of all) await objects.keep(one)
      },
      async check(fs, isDone) {
        if (!isDone) return
        const objects = new DirectoryObjects('/audit/objects', fs)
        for (const one of all) assert.deepEqual(await objects.read(digestOf(one)), new Uint8Array(one))
      },
    },
    { seed: 4 },
  )
})
