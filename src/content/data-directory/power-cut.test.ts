import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FileSystem, isFailure } from '#base/index.ts'
import { type Descriptor, type Digest, digestOf, mediaTypes } from '#oci/index.ts'
import { PowerCutFileSystem } from '../../../test/support/power-cut-file-system.ts'
import { putImage, seededBytes } from '../../../test/support/random-image.ts'
import { bytesReader, readVerified } from '../readers.ts'
import type { Store } from '../types.ts'
import { type DataDirectory, openDataDirectory } from './data-directory.ts'
import { collectGarbage } from './garbage.ts'

const root = '/data'
const hour = 3_600_000

/** What a client was told to be done. */
class Receipts {
  readonly contents = new Map<Digest, Descriptor>()
  /** The tag's last receipt, and whether another push of it was under way. */
  readonly tags = new Map<string, Digest>()
  readonly attempted = new Map<string, Digest[]>()

  async tag(store: Store, manifest: Descriptor, tag: string): Promise<void> {
    this.attempted.set(tag, [...(this.attempted.get(tag) ?? []), manifest.digest])
    await store.tag(manifest, tag)
    this.tags.set(tag, manifest.digest)
    this.attempted.set(tag, [manifest.digest])
  }

  async image(store: Store, seed: string, extra?: object): Promise<Descriptor> {
    const written: Descriptor[] = []
    const noting: Pick<Store, 'write'> = {
      write: async (content, from) => {
        const outcome = await store.write(content, from)
        written.push(content)
        for (const each of written) this.contents.set(each.digest, each)
        return outcome
      },
    }
    return putImage(noting, seed, [700, 3000], extra)
  }
}

const pieces = [seededBytes('piece one', 5000), seededBytes('piece two', 6000)]
const uploaded = Buffer.concat(pieces)

/** A day of a registry: uploads, images, referrers, tags that move, and a collection. Any part may be a rerun. */
async function day(fs: FileSystem, receipts: Receipts, now: () => number): Promise<void> {
  const data = await openDataDirectory(root, { fs, now })
  const app = await data.create('lib/app')
  for (const algorithm of ['sha256', 'sha512'] as const) {
    const upload = await app.beginUpload()
    try {
      for (const piece of pieces) await upload.append(piece)
      const content = await upload.finish(digestOf(uploaded, algorithm))
      receipts.contents.set(content.digest, content)
    } finally {
      await upload[Symbol.asyncDispose]()
    }
  }
  const one = await receipts.image(app, 'one')
  await receipts.tag(app, one, 'latest')
  const two = await receipts.image(app, 'two')
  await receipts.tag(app, two, 'latest')
  await receipts.image(app, 'proof', { subject: one })
  await collectGarbage(root, { fs, now })
  await receipts.tag(app, one, '1.0')
}

/** Everything with a final name is what it says, and every receipt holds. */
async function assertSound(fs: FileSystem, receipts: Receipts, now: () => number): Promise<void> {
  for (const algorithm of ['sha256', 'sha512']) {
    for (const shard of await fs.list(`${root}/blobs/${algorithm}`)) {
      for (const { name } of await fs.list(`${root}/blobs/${algorithm}/${shard.name}`)) {
        if (name.includes('.')) continue
        const file = await fs.open(`${root}/blobs/${algorithm}/${shard.name}/${name}`, 'read')
        const bytes = Buffer.alloc(await file.size())
        await file.read(bytes, 0)
        assert.equal(digestOf(bytes, algorithm as 'sha256'), `${algorithm}:${name}`)
      }
    }
  }
  if (receipts.contents.size === 0 && receipts.attempted.size === 0) return
  const app = await (await openDataDirectory(root, { fs, now })).create('lib/app')
  for (const content of receipts.contents.values()) {
    assert.ok(await app.find(content.digest), `${content.digest} was acknowledged`)
    await readVerified(app, content, content.size)
  }
  for (const [tag, digests] of receipts.attempted) {
    const known = receipts.tags.get(tag)
    const found = await app.resolve(tag).catch((error: unknown) => {
      if (known !== undefined || !isFailure(error, 'CONTENT_NOT_FOUND')) throw error
      return undefined
    })
    const allowed = known === undefined ? digests : [known, ...digests]
    if (found) assert.ok(allowed.includes(found.digest), `${tag} names what it was told to`)
  }
}

test('the power fails anywhere in a day: what was acknowledged is there, nothing is torn, a rerun completes', async () => {
  const now = () => 1_000 * hour
  const dry = new PowerCutFileSystem({ now })
  await day(dry, new Receipts(), now)
  assert.ok(dry.operations > 100)
  for (let crashAt = 1; crashAt <= dry.operations; crashAt++) {
    const before = new PowerCutFileSystem({ seed: crashAt, crashAt, now })
    const receipts = new Receipts()
    await assert.rejects(day(before, receipts, now), { code: 'FILE_SYSTEM' })
    const after = before.cut()
    await assertSound(after, receipts, now)
    await day(after, receipts, now)
    await assertSound(after, receipts, now)
    const app = await (await openDataDirectory(root, { fs: after, now })).create('lib/app')
    assert.deepEqual(await app.tags(), ['1.0', 'latest'])
  }
})

test('killed, resumed, and then the power fails: the upload that was finished is whole', async () => {
  const now = () => 1_000 * hour
  const large = seededBytes('large', 1_100_000)
  for (let seed = 0; seed < 30; seed++) {
    const first = new PowerCutFileSystem({ seed, now })
    const store = await (await openDataDirectory(root, { fs: first, now })).create('a')
    const upload = await store.beginUpload()
    await upload.append(large)
    const killed = first.kill()
    const next = await (await openDataDirectory(root, { fs: killed, now })).create('a')
    const taken = await next.upload(upload.id)
    assert.ok(taken)
    assert.ok(taken.offset > 0)
    await taken.append(large.subarray(taken.offset))
    const content = await taken.finish(digestOf(large))
    const after = await (await openDataDirectory(root, { fs: killed.cut(), now })).create('a')
    await readVerified(after, content, content.size)
  }
})

/** Runs `act` once, before the `at`th call on the file system. */
function interrupted(fs: FileSystem, at: number, act: () => Promise<void>): FileSystem & { calls(): number } {
  let count = 0
  const handler: ProxyHandler<FileSystem> = {
    get(target, property) {
      if (property === 'calls') return () => count
      const value = Reflect.get(target, property)
      if (typeof value !== 'function') return value
      return async (...args: unknown[]) => {
        if (++count === at) await act()
        return Reflect.apply(value, target, args)
      }
    },
  }
  return new Proxy(fs, handler) as FileSystem & { calls(): number }
}

const blobBytes = seededBytes('shared', 900)
const blob: Descriptor = { mediaType: mediaTypes.octets, digest: digestOf(blobBytes), size: 900 }
const writeBlob = (store: Store) =>
  store.write(blob, async (offset) => bytesReader(blobBytes.subarray(offset)))

interface Scene {
  readonly fs: PowerCutFileSystem
  readonly app: Store
  readonly data: DataDirectory
  readonly untagged: Descriptor
  readonly now: () => number
}

/** An old blob that nothing names, linked in `app`, and an old manifest without a tag; where needed, another repository's image names the blob. */
async function scene(isNeeded: boolean, seed: number): Promise<Scene> {
  let at = 1_000 * hour
  const now = () => at
  const fs = new PowerCutFileSystem({ now, seed })
  const data = await openDataDirectory(root, { fs, now })
  const app = await data.create('app')
  await writeBlob(app)
  const untagged = await putImage(app, 'untagged', [100])
  if (isNeeded) {
    const other = await data.create('other')
    await other.mount(blob.digest, 'app')
    const config = { ...blob, mediaType: mediaTypes.ociConfig }
    const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [] }
    const bytes = Buffer.from(JSON.stringify(body))
    const manifest = { mediaType: mediaTypes.ociManifest, digest: digestOf(bytes), size: bytes.length }
    await other.write(manifest, async () => bytesReader(bytes))
    await other.tag(manifest, 'kept')
  }
  at += 5 * hour
  // The server has looked things up before, and remembers what it likes.
  return { fs, data, app, untagged, now }
}

/** A push that relies on what it is told, and where it is told 'no' brings the bytes. */
const pushes: Record<string, (scene: Scene) => Promise<{ repository: string; content: Descriptor }>> = {
  asks: async ({ app }) => {
    if (!(await app.find(blob.digest))) await writeBlob(app)
    return { repository: 'app', content: blob }
  },
  writes: async ({ app }) => {
    await writeBlob(app)
    return { repository: 'app', content: blob }
  },
  uploads: async ({ app }) => {
    const upload = await app.beginUpload()
    await upload.append(blobBytes)
    await upload.finish(blob.digest)
    return { repository: 'app', content: blob }
  },
  mounts: async ({ data }) => {
    const third = await data.create('third')
    if (!(await third.mount(blob.digest, 'app'))) await writeBlob(third)
    return { repository: 'third', content: blob }
  },
  tags: async ({ app, untagged }) => {
    await app.tag(untagged, 'now').catch(async (error: unknown) => {
      assert.ok(isFailure(error, 'CONTENT_NOT_FOUND'))
      await putImage(app, 'untagged', [100])
      await app.tag(untagged, 'now')
    })
    return { repository: 'app', content: untagged }
  },
}

for (const [name, push] of Object.entries(pushes)) {
  for (const isNeeded of [false, true]) {
    const title = `a push that ${name}, at any moment of a collection, keeps what it relies on`
    test(`${title}${isNeeded ? ', where another repository holds it' : ''}`, async () => {
      for (let at = 1; ; at++) {
        const here = await scene(isNeeded, at)
        let relied: { repository: string; content: Descriptor } | undefined
        const fs = interrupted(here.fs, at, async () => {
          relied = await push(here)
        })
        await collectGarbage(root, { fs, now: here.now, untagged: true })
        if (!relied) break
        // Seen by a process that has just begun, and after another collection too.
        for (let round = 0; round < 2; round++) {
          const fresh = await openDataDirectory(root, { fs: here.fs, now: here.now })
          const store = await fresh.create(relied.repository)
          assert.ok(await store.find(relied.content.digest), `interrupted at call ${at}`)
          await readVerified(store, relied.content, relied.content.size)
          await collectGarbage(root, { fs: here.fs, now: here.now })
        }
      }
    })

    test(`${title}, though the collection is killed or the power fails after it${isNeeded ? ' (needed elsewhere)' : ''}`, async () => {
      for (let at = 1, ended = false; !ended; at++) {
        for (const later of [1, 3]) {
          const here = await scene(isNeeded, at * 10 + later)
          let relied: { repository: string; content: Descriptor } | undefined
          const asked = interrupted(here.fs, at, async () => {
            relied = await push(here)
          })
          const stopped = interrupted(asked, at + later, () => Promise.reject(new Error('killed')))
          const run = collectGarbage(root, { fs: stopped, now: here.now, untagged: true })
          const wasKilled = await run.then(
            () => false,
            (error: Error) => error.message === 'killed',
          )
          if (!relied) {
            ended = true
            break
          }
          const left = wasKilled && later === 3 ? here.fs.cut() : here.fs
          const store = await (await openDataDirectory(root, { fs: left, now: here.now })).create(
            relied.repository,
          )
          assert.ok(await store.find(relied.content.digest), `asked at call ${at}, stopped ${later} later`)
          await readVerified(store, relied.content, relied.content.size)
        }
      }
    })
  }
}

test('a collection that is cut off anywhere leaves what is in use, and the next one completes it', async () => {
  const whole = await scene(true, 1)
  const calls = interrupted(whole.fs, 0, async () => undefined)
  const report = await collectGarbage(root, { fs: calls, now: whole.now, untagged: true })
  assert.equal(report.manifests, 1)
  for (let at = 1; at <= calls.calls(); at++) {
    const here = await scene(true, at)
    const dying = interrupted(here.fs, at, () => Promise.reject(new Error('killed')))
    await assert.rejects(collectGarbage(root, { fs: dying, now: here.now, untagged: true }), /killed/)
    const left = here.fs.cut()
    const data = await openDataDirectory(root, { fs: left, now: here.now })
    const other = await data.create('other')
    const kept = await other.resolve('kept')
    await readVerified(other, kept, kept.size)
    await readVerified(other, blob, blob.size)
    await collectGarbage(root, { fs: left, now: here.now, untagged: true })
    await readVerified(other, blob, blob.size)
    assert.equal(await (await data.create('app')).find(blob.digest), undefined)
    assert.equal(await (await data.create('app')).find(here.untagged.digest), undefined)
  }
})
