import assert from 'node:assert/strict'
import { mkdtemp, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type Descriptor, digestHex, digestOf, mediaTypes } from '#oci/index.ts'
import { put, putImage, putIndex, seededBytes } from '../../../test/support/random-image.ts'
import { storeTests } from '../store.suite.ts'
import { targetTests } from '../target.suite.ts'
import { openDataDirectory } from './data-directory.ts'
import { collectGarbage } from './garbage.ts'

async function temporary(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'sealift-data-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

const folders: (() => Promise<void>)[] = []
after(async () => {
  for (const remove of folders) await remove()
})
async function fresh(): Promise<string> {
  const folder = await temporary()
  folders.push(async () => folder[Symbol.asyncDispose]())
  return folder.path
}

targetTests(
  'data directory',
  async () => {
    const path = await fresh()
    const store = async () => (await openDataDirectory(path)).create('a/b')
    return { target: store, committed: store }
  },
  { resumesWithinBytes: 1024 * 1024 },
)

storeTests('data directory', async () => {
  const folder = await temporary()
  return {
    repositories: await openDataDirectory(folder.path),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
})

const hour = 3_600_000
const later = () => Date.now() + 2 * hour

const pathOf = (root: string, { digest }: Descriptor): string => {
  const hex = digestHex(digest)
  return join(root, 'blobs', 'sha256', hex.slice(0, 2), hex)
}

test('another process sees what was pushed, and takes up uploads', async () => {
  await using folder = await temporary()
  const here = await (await openDataDirectory(folder.path)).create('lib/app')
  const root = await putImage(here, 'x', [10, 20])
  await here.tag(root, '1.0')
  const upload = await here.beginUpload()
  await upload.append(seededBytes('half', 1_500_000))
  await upload[Symbol.asyncDispose]()
  const there = await openDataDirectory(folder.path)
  assert.deepEqual(await there.names(), ['lib/app'])
  const store = await there.repository('lib/app')
  assert.deepEqual(await store?.resolve('1.0'), root)
  const taken = await store?.upload(upload.id)
  assert.equal(taken?.offset, 1_500_000)
  await taken?.cancel()
})

test('a folder that holds something else is left alone', async () => {
  await using folder = await temporary()
  await writeFile(join(folder.path, 'thesis.txt'), 'precious')
  await assert.rejects(openDataDirectory(folder.path), { code: 'LAYOUT_INVALID' })
  await assert.rejects(collectGarbage(folder.path), { code: 'LAYOUT_INVALID' })
})

test('garbage: what no manifest names goes after its grace time, the rest stays', async () => {
  await using folder = await temporary()
  const data = await openDataDirectory(folder.path)
  const app = await data.create('app')
  const other = await data.create('other')
  const kept = await putIndex(app, 'kept')
  await app.tag(kept, '1')
  const deleted = await putImage(app, 'deleted', [5000])
  const orphan = await put(other, seededBytes('orphan', 700), mediaTypes.octets)
  await app.delete(deleted.digest)
  assert.deepEqual((await collectGarbage(folder.path)).blobs.items, 0)
  const dry = await collectGarbage(folder.path, { now: later, dryRun: true })
  const report = await collectGarbage(folder.path, { now: later })
  assert.deepEqual(report, dry)
  // The deleted manifest, its config and layer, and the orphan.
  assert.equal(report.blobs.items, 4)
  assert.ok(await app.find(kept.digest))
  assert.equal(await other.find(orphan.digest), undefined)
  const again = await collectGarbage(folder.path, { now: later })
  assert.equal(again.blobs.items, 0)
})

test('garbage: untagged manifests go only where that is asked for, with their referrers', async () => {
  await using folder = await temporary()
  const app = await (await openDataDirectory(folder.path)).create('app')
  const tagged = await putImage(app, 'tagged', [10])
  await app.tag(tagged, '1')
  const signature = await putImage(app, 'signature', [11], { subject: tagged })
  const old = await putImage(app, 'old', [12])
  const proof = await putImage(app, 'proof', [13], { subject: old })
  assert.equal((await collectGarbage(folder.path, { now: later })).manifests, 0)
  assert.equal((await collectGarbage(folder.path, { now: later, untagged: true })).manifests, 2)
  for (const content of [tagged, signature]) assert.ok(await app.find(content.digest))
  for (const content of [old, proof]) assert.equal(await app.find(content.digest), undefined)
  const left: Descriptor[] = []
  for await (const referrer of app.referrers(old.digest)) left.push(referrer)
  assert.deepEqual(left, [])
})

test('garbage: what a push is told to be there is kept, though nothing names it yet', async () => {
  await using folder = await temporary()
  const data = await openDataDirectory(folder.path)
  const app = await data.create('app')
  const blob = await put(app, seededBytes('old', 900), mediaTypes.octets)
  const path = pathOf(folder.path, blob)
  const longAgo = new Date(Date.now() - 5 * hour)
  const link = join(folder.path, 'repositories', 'app', '_blobs', blob.digest.replace(':', '-'))
  for (const old of [path, link]) await utimes(old, longAgo, longAgo)
  // The client asks, and is told that it need not push it.
  assert.ok(await app.has(blob))
  assert.equal((await collectGarbage(folder.path)).blobs.items, 0)
  for (const old of [path, link]) await utimes(old, longAgo, longAgo)
  assert.equal((await collectGarbage(folder.path)).blobs.items, 1)
  await assert.rejects(stat(path), { code: 'ENOENT' })
  assert.equal(await app.has(blob), false)
})

test('garbage: pushes beside it lose nothing', async () => {
  await using folder = await temporary()
  const data = await openDataDirectory(folder.path)
  const app = await data.create('app')
  let stop = false
  const collecting = (async () => {
    while (!stop) await collectGarbage(folder.path, { graceMs: 1000 })
  })()
  const roots: Descriptor[] = []
  for (let at = 0; at < 25; at++) {
    const root = await putImage(app, `live-${at}`, [100, 2000])
    await app.tag(root, `t${at}`)
    roots.push(root)
  }
  stop = true
  await collecting
  const found = await Promise.all(roots.map(({ digest }) => app.find(digest)))
  assert.ok(found.every(Boolean))
})

test('garbage: a manifest that cannot be read keeps its repository as it is, and nothing else', async () => {
  await using folder = await temporary()
  const data = await openDataDirectory(folder.path)
  const [app, other] = [await data.create('app'), await data.create('other')]
  const root = await putImage(app, 'damaged', [300])
  await writeFile(pathOf(folder.path, root), 'not what it was')
  const orphan = await put(app, seededBytes('orphan', 700), mediaTypes.octets)
  const elsewhere = await put(other, seededBytes('elsewhere', 800), mediaTypes.octets)
  const notes: string[] = []
  const report = await collectGarbage(folder.path, {
    now: later,
    onProgress: (event) => event.type === 'note' && notes.push(event.text),
  })
  assert.deepEqual(report.blobs, { items: 1, sizeBytes: 800 })
  assert.equal(notes.length, 1)
  assert.ok(await app.find(orphan.digest))
  assert.equal(await other.find(elsewhere.digest), undefined)
})

test('garbage: uploads that came to a halt and files that a killed process left go', async () => {
  await using folder = await temporary()
  const app = await (await openDataDirectory(folder.path)).create('app')
  await app.tag(await putImage(app, 'x', [1]), '1')
  const old = await app.beginUpload()
  await old.append(seededBytes('old', 5000))
  await old[Symbol.asyncDispose]()
  const left = join(folder.path, 'repositories/app/_tags', `.${crypto.randomUUID()}.new`)
  await writeFile(left, 'half')
  assert.equal((await collectGarbage(folder.path)).uploads, 0)
  const report = await collectGarbage(folder.path, { now: () => Date.now() + 25 * hour })
  assert.equal(report.uploads, 1)
  assert.equal(report.freedBytes, 5000)
  assert.equal(await app.upload(old.id), undefined)
  await assert.rejects(stat(left), { code: 'ENOENT' })
  const young = await app.beginUpload()
  await young.append(seededBytes('young', 10))
  await collectGarbage(folder.path, { now: () => Date.now() + 25 * hour })
  await assert.rejects(young.finish(digestOf(seededBytes('young', 10))), { code: 'UPLOAD_UNKNOWN' })
})

test('any tag is listed, whatever it looks like, and no name leads out', async () => {
  await using folder = await temporary()
  const data = await openDataDirectory(folder.path)
  const app = await data.create('app')
  const root = await putImage(app, 'x', [1])
  const tags = ['1.0.new', '_blobs', 'sha256-x', 'x.partial']
  for (const tag of tags) await app.tag(root, tag)
  assert.deepEqual(await app.tags(), [...tags].sort())
  for (const tag of ['../x', '.x', '', 'a/b', 'x'.repeat(129)]) {
    await assert.rejects(app.tag(root, tag), { code: 'CONTENT_NOT_FOUND' })
    await assert.rejects(app.resolve(tag), { code: 'CONTENT_NOT_FOUND' })
    assert.equal(await app.untag(tag), false)
  }
  assert.equal(await app.mount(root.digest, '../repositories/app'), false)
  await assert.rejects(data.create('../outside'), { code: 'CONTENT_NOT_FOUND' })
})

test('long lists of referrers and tags', async () => {
  await using folder = await temporary()
  const app = await (await openDataDirectory(folder.path)).create('app')
  const subject = await putImage(app, 'subject', [1])
  const made = await Promise.all(
    Array.from({ length: 60 }, (_, at) =>
      putImage(app, 'same', [1], { subject, annotations: { at: `${at}` } }),
    ),
  )
  await Promise.all(made.map((manifest, at) => app.tag(manifest, `t${at}`)))
  const found: Descriptor[] = []
  for await (const descriptor of app.referrers(subject.digest)) found.push(descriptor)
  assert.deepEqual(found.map(({ digest }) => digest).sort(), made.map(({ digest }) => digest).sort())
  assert.equal((await app.tags()).length, 60)
  await app.delete(made[7]!.digest)
  assert.equal((await app.tags()).includes('t7'), false)
})
