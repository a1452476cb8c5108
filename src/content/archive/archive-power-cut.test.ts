import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import type { Descriptor } from '#oci/index.ts'
import { crashEverywhere, fillEverywhere, type Undertaking } from '../../../test/support/crash-everywhere.ts'
import type { PowerCutFileSystem } from '../../../test/support/power-cut-file-system.ts'
import { putImage } from '../../../test/support/random-image.ts'
import { copy } from '../copy.ts'
import { MemoryStore } from '../memory.ts'
import { readVerified } from '../readers.ts'
import { verify } from '../verify.ts'
import { openArchive } from './container.ts'
import { chunkContentBytes } from './format.ts'
import { ArchiveWriter } from './writer.ts'

const path = '/media/app.tgz'
const source = new MemoryStore()
let small: Descriptor
let large: Descriptor
before(async () => {
  small = await putImage(source, 'small', [0, 1, 70_000])
  large = await putImage(source, 'large', [chunkContentBytes + 7, 300_000])
})

async function write(writer: ArchiveWriter, root: Descriptor, name: string): Promise<void> {
  try {
    // One after the other, so that a crash point is the same point in every run.
    await copy(root, source, writer.repository(name), { tags: ['1.0'], concurrency: 1 })
  } finally {
    await writer[Symbol.asyncDispose]()
  }
}

async function assertHolds(fs: PowerCutFileSystem, roots: readonly Descriptor[]): Promise<void> {
  const archive = await openArchive(path, { fs })
  const { problems } = await verify(archive)
  assert.deepEqual(problems, [])
  const digests = (await archive.roots()).map(({ descriptor }) => descriptor.digest).sort()
  assert.deepEqual(digests, roots.map(({ digest }) => digest).sort())
  await archive.close()
}

const packing = (root: () => Descriptor): Undertaking => ({
  async before(fs) {
    await fs.makeDirectory('/media')
  },
  run: (fs, boot) =>
    write(
      new ArchiveWriter(path, { fs, bootId: async () => boot, syncEveryBytes: chunkContentBytes }),
      root(),
      'a.example/b',
    ),
  async check(fs, isDone) {
    // The name appears with the whole archive, or not at all.
    if (isDone || (await fs.stat(path))) await assertHolds(fs, [root()])
  },
})

const appending = (root: () => Descriptor): Undertaking => ({
  async before(fs) {
    await fs.makeDirectory('/media')
    await write(new ArchiveWriter(path, { fs, bootId: async () => 'before' }), small, 'a.example/b')
  },
  run: async (fs, boot) => {
    const options = { fs, bootId: async () => boot, syncEveryBytes: chunkContentBytes }
    await write(await ArchiveWriter.append(path, options), root(), 'a.example/more')
  },
  async check(fs, isDone) {
    if (isDone) return assertHolds(fs, [small, root()])
    // The archive of before or of after; what an interrupted append left behind its end is told and no damage.
    const archive = await openArchive(path, { fs })
    const { problems } = await verify(archive)
    // The old tail gives way last, and may be found torn: the rerun puts that right.
    assert.deepEqual(
      problems.filter(({ kind, what }) => kind !== 'extra' && !what.startsWith('tail ')),
      [],
    )
    const manifest = (await archive.source.find(small.digest))!
    assert.equal((await readVerified(archive.source, manifest, manifest.size)).length, small.size)
    await archive.close()
  },
})

for (const seed of [1, 2]) {
  test(`packing survives a crash at every operation (seed ${seed})`, async () => {
    await crashEverywhere(
      packing(() => small),
      { seed },
    )
    await crashEverywhere(
      packing(() => large),
      { seed, points: 8 },
    )
  })

  test(`appending survives a crash at every operation (seed ${seed})`, async () => {
    await crashEverywhere(
      appending(() => large),
      { seed, points: 12 },
    )
  })
}

test('packing again over a finished archive never harms it', async () => {
  const pack = packing(() => large)
  await crashEverywhere(
    {
      ...pack,
      async before(fs) {
        await pack.before?.(fs)
        await pack.run(fs, 'before')
      },
      check: (fs) => pack.check(fs, true),
    },
    { seed: 7, points: 10 },
  )
})

test('a disk that fills up is told, and the rerun completes', async () => {
  const whole = chunkContentBytes
  await fillEverywhere(
    packing(() => large),
    [0, 100, 300_000, whole, whole + 200_000],
  )
  await fillEverywhere(
    appending(() => large),
    [0, 100, 300_000, whole, whole + 200_000],
  )
})
