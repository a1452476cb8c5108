import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { type Descriptor, type Digest, digestHex, digestOf, mediaTypes } from '#oci/index.ts'
import { crashEverywhere, fillEverywhere, type Undertaking } from '../../../test/support/crash-everywhere.ts'
import type { PowerCutFileSystem } from '../../../test/support/power-cut-file-system.ts'
import { put, putImage, seededBytes } from '../../../test/support/random-image.ts'
import { copy } from '../copy.ts'
import { MemoryStore } from '../memory.ts'
import { readVerified, verifying } from '../readers.ts'
import type { Store } from '../types.ts'
import { walk } from '../walk.ts'
import { openDataDirectory } from './data-directory.ts'
import { collectGarbage } from './garbage.ts'

const path = '/var/registry'
const hour = 3_600_000
const source = new MemoryStore()
let image: Descriptor
let signature: Descriptor
const uploaded = seededBytes('upload', 150_000)
before(async () => {
  image = await putImage(source, 'image', [0, 1, 70_000])
  signature = await putImage(source, 'signature', [10], { subject: image })
})

/** Every file under blobs/ that has a digest for a name is that content. */
async function assertNothingHalf(fs: PowerCutFileSystem): Promise<void> {
  for (const algorithm of await fs.list(`${path}/blobs`)) {
    for (const shard of await fs.list(`${path}/blobs/${algorithm.name}`)) {
      const directory = `${path}/blobs/${algorithm.name}/${shard.name}`
      for (const { name } of await fs.list(directory)) {
        if (name.includes('.')) continue
        const file = await fs.open(`${directory}/${name}`, 'read')
        const size = await file.size()
        const bytes = Buffer.alloc(size)
        await file.read(bytes, 0)
        await file.close()
        assert.equal(digestOf(bytes, algorithm.name as 'sha256'), `${algorithm.name}:${name}`)
      }
    }
  }
}

async function assertHolds(store: Store, digest: Digest): Promise<void> {
  const content = await store.find(digest)
  assert.ok(content, `${digest} is there`)
  const reader = verifying(await store.open(content), content)
  while ((await reader.read(Buffer.alloc(100_000))) > 0);
  await reader.close()
}

/** The whole image that a manifest names. */
async function assertImage(store: Store, root: Descriptor): Promise<void> {
  const { nodes } = await walk(root, store)
  for (const { descriptor } of nodes) await assertHolds(store, descriptor.digest)
}

async function open(fs: PowerCutFileSystem, name: string, now = Date.now): Promise<Store> {
  return (await openDataDirectory(path, { fs, now })).create(name)
}

/** What was acknowledged, one step after the other, in whichever run. */
type Acknowledged = { step: string; check: (fs: PowerCutFileSystem) => Promise<void> }[]

function pushing(): Undertaking {
  let latest: Acknowledged = []
  return {
    async before() {
      latest = []
    },
    async run(fs) {
      const told = latest
      const directory = await openDataDirectory(path, { fs })
      const one = await directory.create('lib/app')
      const two = await directory.create('lib/other')

      const upload = await one.beginUpload()
      await upload.append(uploaded.subarray(0, 90_000))
      await upload[Symbol.asyncDispose]()
      const again = await one.upload(upload.id)
      assert.ok(again)
      await again.append(uploaded.subarray(90_000))
      const { digest } = await again.finish(digestOf(uploaded))
      told.push({ step: 'upload', check: async (fs) => assertHolds(await open(fs, 'lib/app'), digest) })

      assert.ok(await two.mount(digest, 'lib/app'))
      told.push({ step: 'mount', check: async (fs) => assertHolds(await open(fs, 'lib/other'), digest) })

      await copy(image, source, one, { tags: ['1.0'], concurrency: 1, referrers: false })
      told.push({
        step: 'image',
        check: async (fs) => {
          const store = await open(fs, 'lib/app')
          assert.equal((await store.resolve('1.0')).digest, image.digest)
          await assertImage(store, image)
        },
      })

      await copy(signature, source, one, { concurrency: 1 })
      told.push({
        step: 'referrer',
        check: async (fs) => {
          const store = await open(fs, 'lib/app')
          const found: Digest[] = []
          for await (const referrer of store.referrers(image.digest)) found.push(referrer.digest)
          assert.deepEqual(found, [signature.digest])
          await assertImage(store, signature)
        },
      })
    },
    async check(fs, isDone) {
      await assertNothingHalf(fs)
      for (const { check } of latest) await check(fs)
      if (isDone) assert.ok(latest.length >= 4)
      // A manifest that can be seen is whole, whether or not its push was acknowledged.
      const store = await open(fs, 'lib/app')
      for (const manifest of [image, signature]) {
        if (await store.find(manifest.digest)) await assertImage(store, manifest)
      }
    },
  }
}

for (const seed of [1, 2]) {
  test(`a push survives a crash at every operation (seed ${seed})`, async () => {
    await crashEverywhere(pushing(), { seed, points: 12 })
  })
}

test('what one process left half done, another one relies on only once it lasts', async () => {
  // No look at the disk in between, as `check` has one: a client that asks, and is told that it is there.
  const blob = seededBytes('relied on', 5000)
  const content: Descriptor = { mediaType: mediaTypes.octets, digest: digestOf(blob), size: blob.length }
  await crashEverywhere(
    {
      async before(fs) {
        await open(fs, 'lib/app')
      },
      async run(fs) {
        const store = await open(fs, 'lib/app')
        if (!(await store.has(content))) await put(store, blob, mediaTypes.octets)
      },
      async check(fs, isDone) {
        if (isDone) await assertHolds(await open(fs, 'lib/app'), content.digest)
      },
    },
    { seed: 4 },
  )
})

test('garbage collection survives a crash at every operation, and takes nothing that is named', async () => {
  const now = () => Date.now() + 48 * hour
  const collecting: Undertaking = {
    async before(fs) {
      const store = await open(fs, 'lib/app')
      await copy(image, source, store, { tags: ['1.0'] })
      await put(store, seededBytes('garbage', 1000), mediaTypes.octets)
      const untagged = await putImage(store, 'untagged', [500])
      assert.ok(await store.find(untagged.digest))
      await using upload = await store.beginUpload()
      await upload.append(uploaded)
    },
    run: async (fs) => {
      await collectGarbage(path, { fs, now, untagged: true })
      const hex = digestHex(digestOf(seededBytes('garbage', 1000)))
      assert.equal(await fs.stat(`${path}/blobs/sha256/${hex.slice(0, 2)}/${hex}`), undefined)
    },
    // Garbage may come back with a power cut: the next collection takes it.
    async check(fs) {
      await assertNothingHalf(fs)
      const store = await open(fs, 'lib/app', now)
      assert.equal((await store.resolve('1.0')).digest, image.digest)
      await assertImage(store, image)
    },
  }
  for (const seed of [1, 2]) await crashEverywhere(collecting, { seed })
})

test('a disk that fills up is told, and the rerun completes', async () => {
  const copying: Undertaking = {
    run: async (fs) => {
      await copy(image, source, await open(fs, 'lib/app'), { tags: ['1.0'], concurrency: 1 })
    },
    async check(fs, isDone) {
      await assertNothingHalf(fs)
      if (!isDone) return
      const store = await open(fs, 'lib/app')
      await readVerified(store, image, image.size)
      await assertImage(store, image)
    },
  }
  await fillEverywhere(copying, [30, 100, 30_000, 70_000, 70_300])
})
