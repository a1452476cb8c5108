import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import type { Descriptor } from '#oci/index.ts'
import { crashEverywhere, fillEverywhere, type Undertaking } from '../../test/support/crash-everywhere.ts'
import { putImage } from '../../test/support/random-image.ts'
import { copy } from './copy.ts'
import { MemoryStore } from './memory.ts'
import { openOciArchive } from './oci-archive.ts'
import { OciArchiveTarget } from './oci-archive-target.ts'
import type { Container } from './types.ts'
import { verify } from './verify.ts'

const source = new MemoryStore()
let root: Descriptor
before(async () => {
  root = await putImage(source, 'image', [0, 1, 70_000, 1_200_000])
})

async function assertWhole(container: Container, roots: readonly Descriptor[]): Promise<void> {
  assert.deepEqual((await verify(container)).problems, [])
  const found = (await container.roots()).map(({ descriptor }) => descriptor.digest).sort()
  assert.deepEqual(found, roots.map(({ digest }) => digest).sort())
  await container.close()
}

const archiving: Undertaking = {
  run: async (fs) => {
    await using target = new OciArchiveTarget('/srv/app.tar', { fs })
    await copy(root, source, target, { tags: ['1.0'], concurrency: 1 })
  },
  async check(fs, isDone) {
    if (isDone || (await fs.stat('/srv/app.tar')))
      await assertWhole(await openOciArchive('/srv/app.tar', { fs }), [root])
  },
}

for (const seed of [1, 2]) {
  test(`writing an oci-archive survives a crash at every operation (seed ${seed})`, async () => {
    await crashEverywhere(archiving, { seed, points: 12 })
  })
}

test('a disk that fills up is told, and the rerun completes', async () => {
  await fillEverywhere(archiving, [0, 100, 300_000, 1_200_000, 1_270_200])
})
