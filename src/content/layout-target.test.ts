import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { isFailure } from '#base/index.ts'
import { type Descriptor, digestHex, digestOf, isDigest, mediaTypes, parsePlatform } from '#oci/index.ts'
import { crashEverywhere, fillEverywhere, type Undertaking } from '../../test/support/crash-everywhere.ts'
import { put, putImage, putIndex, seededBytes } from '../../test/support/random-image.ts'
import { copy } from './copy.ts'
import { openLayout } from './layout.ts'
import { LayoutTarget } from './layout-target.ts'
import { MemoryStore } from './memory.ts'
import { bytesReader, readVerified } from './readers.ts'
import { verify } from './verify.ts'
import { legacyTag } from './walk.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealift-layout-'))
})
after(() => rm(folder, { recursive: true }))

let counter = 0
const fresh = (): string => join(folder, `Some_Layout.${counter++}`)

const source = new MemoryStore()

/** A layout as another tool may have left it, with this index.json. */
async function foreign(index: unknown, contents: readonly Uint8Array[] = []): Promise<string> {
  const path = fresh()
  await mkdir(join(path, 'blobs/sha256'), { recursive: true })
  await writeFile(join(path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  await writeFile(join(path, 'index.json'), typeof index === 'string' ? index : JSON.stringify(index))
  for (const bytes of contents) await writeFile(join(path, 'blobs/sha256', digestHex(digestOf(bytes))), bytes)
  return path
}

async function bytesUnder(root: Descriptor): Promise<Uint8Array[]> {
  const store = new MemoryStore()
  const all: Uint8Array[] = []
  const noting = {
    resolve: (reference: string) => store.resolve(reference),
    open: store.open.bind(store),
    has: store.has.bind(store),
    tag: store.tag.bind(store),
    write: async (content: Descriptor, from: Parameters<MemoryStore['write']>[1]) => {
      const outcome = await store.write(content, from)
      all.push(await readVerified(store, content, content.size))
      return outcome
    },
  }
  await copy(root, source, noting)
  return all
}

test('index.json holds whole names, bare ones where no repository is known, and what travelled of an index', async () => {
  const root = await putIndex(source, 'named')
  const signature = await putImage(source, 'signature', [10], { subject: root })
  const whole = fresh()
  const platforms = [parsePlatform('linux/arm64')]
  await copy(root, source, new LayoutTarget(whole, { repository: 'docker.io/library/nginx' }), {
    tags: ['1.27'],
    platforms,
  })
  const index = JSON.parse(await readFile(join(whole, 'index.json'), 'utf8'))
  const named = index.manifests.find(({ digest }: Descriptor) => digest === root.digest)
  assert.deepEqual(named.annotations, {
    'io.containerd.image.name': 'docker.io/library/nginx:1.27',
    'io.sealift.platforms': 'linux/arm64',
    'org.opencontainers.image.ref.name': 'docker.io/library/nginx:1.27',
  })
  const unnamed = index.manifests.find(({ digest }: Descriptor) => digest === signature.digest)
  assert.equal(unnamed.annotations['org.opencontainers.image.ref.name'], undefined)
  const layout = await openLayout(whole)
  assert.deepEqual((await verify(layout)).problems, [])
  assert.equal((await verify(layout)).absent.length, 1)
  for (const name of ['docker.io/library/nginx', 'library/nginx']) {
    const repository = await layout.repository(name)
    assert.deepEqual(await repository?.tags(), ['1.27'])
    assert.equal((await repository?.resolve('1.27'))?.digest, root.digest)
  }
  assert.deepEqual(await readdir(whole), ['blobs', 'index.json', 'oci-layout'])

  const bare = fresh()
  await copy(root, source, new LayoutTarget(bare), { tags: ['1.27'] })
  const short = await openLayout(bare)
  assert.deepEqual((await short.roots()).map(({ reference }) => reference).sort(), ['1.27', undefined])
  const [name = ''] = await short.names()
  assert.match(name, /^some-layout-\d+$/)
  assert.deepEqual(await (await short.repository(name))?.tags(), ['1.27'])
})

test('layouts of other tools: a bare tag, no name at all, an index in an index; each repository sees its own', async () => {
  const one = await putImage(source, 'skopeo', [100])
  const two = await putIndex(source, 'buildah')
  const three = await putImage(source, 'other', [50])
  const nested = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [two] }),
  )
  const wrapped = { mediaType: mediaTypes.ociIndex, digest: digestOf(nested), size: nested.length }
  const name = (reference: string) => ({ annotations: { 'org.opencontainers.image.ref.name': reference } })
  const manifests = [{ ...one, ...name('latest') }, wrapped, { ...three, ...name('quay.io/a/b:2') }]
  const contents = (await Promise.all([one, two, three].map(bytesUnder))).flat()
  const path = await foreign({ schemaVersion: 2, manifests }, [...contents, nested])
  const layout = await openLayout(path)
  assert.deepEqual((await verify(layout)).problems, [])
  const names = await layout.names()
  assert.deepEqual(names.slice(0, 2), ['a/b', 'quay.io/a/b'])
  const own = (await layout.repository(names[2]!))!
  assert.deepEqual(await own.tags(), ['latest'])
  assert.ok(await own.find(two.digest))
  assert.equal(await own.find(three.digest), undefined)
  assert.equal(await (await layout.repository('a/b'))!.find(one.digest), undefined)
  assert.equal((await layout.source.resolve('quay.io/a/b:2')).digest, three.digest)
  const target = new MemoryStore()
  await copy(wrapped, layout.source, target)
  assert.ok(await target.has(two))
})

test('what has no name of its own belongs where its subject is: referrers of oras, signatures of cosign', async () => {
  const mine = await putImage(source, 'mine', [100])
  const theirs = await putImage(source, 'theirs', [100])
  const proof = await putImage(source, 'proof', [10], { subject: mine })
  const proofOfProof = await putImage(source, 'proof of proof', [10], { subject: proof })
  const signature = await putImage(source, 'legacy', [11])
  const name = (reference: string) => ({ annotations: { 'org.opencontainers.image.ref.name': reference } })
  const manifests = [
    proofOfProof,
    proof,
    { ...signature, ...name(legacyTag(mine.digest, 'sig')) },
    { ...mine, ...name('quay.io/mine/app:1') },
    { ...theirs, ...name('quay.io/theirs/app:1') },
  ]
  const all = await Promise.all([mine, theirs, proofOfProof, signature].map(bytesUnder))
  const bytesOfProof = await readVerified(source, proof, proof.size)
  const path = await foreign({ schemaVersion: 2, manifests }, [...all.flat(), bytesOfProof])
  const layout = await openLayout(path)
  const [app, other] = [(await layout.repository('mine/app'))!, (await layout.repository('theirs/app'))!]
  const referrersOf = async (subject: Descriptor) => {
    const found: string[] = []
    for await (const { digest } of app.referrers(subject.digest)) found.push(digest)
    return found
  }
  assert.deepEqual(await referrersOf(mine), [proof.digest])
  assert.deepEqual(await referrersOf(proof), [proofOfProof.digest])
  assert.deepEqual(await app.tags(), ['1', legacyTag(mine.digest, 'sig')])
  assert.equal((await app.resolve(legacyTag(mine.digest, 'sig'))).digest, signature.digest)
  assert.deepEqual(await other.tags(), ['1'])
  for (const content of [mine, proof, signature]) assert.equal(await other.find(content.digest), undefined)
  const target = new MemoryStore()
  assert.equal((await copy(mine, app, target)).companions, 3)
})

test('a write beside a write: neither can spoil what the other has given its name', async () => {
  const path = fresh()
  const bytes = seededBytes('contested', 3_000_000)
  const content = { mediaType: mediaTypes.octets, digest: digestOf(bytes), size: bytes.length }
  const [honest, wrong] = [new LayoutTarget(path), new LayoutTarget(path)]
  const goOn = Promise.withResolvers<void>()
  const damaged = Buffer.from(bytes)
  damaged[2_900_000]! ^= 1
  const late = wrong.write(content, async (offset) => {
    assert.equal(offset, 0)
    const reader = bytesReader(damaged)
    let isFirst = true
    return {
      read: async (into) => {
        if (!isFirst) await goOn.promise
        isFirst = false
        return reader.read(into)
      },
      close: () => reader.close(),
    }
  })
  late.catch(() => undefined)
  assert.equal(await honest.write(content, async (offset) => bytesReader(bytes.subarray(offset))), 'copied')
  goOn.resolve()
  await assert.rejects(late, { code: 'DIGEST_MISMATCH' })
  await honest.commit()
  await readVerified((await openLayout(path)).source, content, content.size)
})

test('many writers at once: every name is in index.json', async () => {
  const path = fresh()
  const root = await putImage(source, 'many', [100])
  const tags = Array.from({ length: 12 }, (_, at) => `t${at}`)
  await Promise.all(tags.map((tag) => copy(root, source, new LayoutTarget(path), { tags: [tag] })))
  const layout = await openLayout(path)
  const [name = ''] = await layout.names()
  assert.deepEqual(await (await layout.repository(name))?.tags(), [...tags].sort())
  assert.deepEqual(await readdir(path), ['blobs', 'index.json', 'oci-layout'])
})

const named = (digest: string, size = 10) => ({
  schemaVersion: 2,
  manifests: [{ mediaType: mediaTypes.ociManifest, digest, size }],
})
const someDigest = digestOf(Buffer.from('something'))

for (const [what, index] of Object.entries({
  'is no JSON': '{"manifests":[',
  'is a list': [],
  'has no manifests': { schemaVersion: 2 },
  'is deep': '['.repeat(5000) + ']'.repeat(5000),
  'names __proto__': '{"schemaVersion":2,"manifests":[],"__proto__":{"a":1}}',
  'names a key twice': '{"schemaVersion":2,"manifests":[],"manifests":[]}',
  'has a path for a digest': named('sha256:../../../../etc/passwd'),
  'has a digest of no algorithm': named(`md5:${'0'.repeat(32)}`),
  'has a negative size': named(someDigest, -1),
  'has a size beyond numbers': named(someDigest, 1e300),
})) {
  test(`a layout whose index.json ${what} is refused`, async () => {
    const layout = await openLayout(await foreign(index))
    await assert.rejects(layout.roots(), (error) => isFailure(error))
    await assert.rejects(layout.names(), (error) => isFailure(error))
    await assert.rejects(layout.source.resolve('latest'), (error) => isFailure(error))
  })
}

test('blobs that are links, folders or pipes are not there, and nothing waits for them', async () => {
  const secret = Buffer.from('outside of the layout')
  const outside = join(folder, 'outside')
  await writeFile(outside, secret)
  const content = { mediaType: mediaTypes.octets, digest: digestOf(secret), size: secret.length }
  const makers: Record<string, (path: string) => Promise<unknown> | unknown> = {
    link: (path) => symlink(outside, path),
    dangling: (path) => symlink(join(folder, 'nowhere'), path),
    folder: (path) => mkdir(path),
    pipe: (path) => execFileSync('mkfifo', [path]),
  }
  for (const [kind, make] of Object.entries(makers)) {
    const path = await foreign({
      schemaVersion: 2,
      manifests: [{ ...content, mediaType: mediaTypes.ociManifest }],
    })
    await make(join(path, 'blobs/sha256', digestHex(content.digest)))
    const layout = await openLayout(path)
    await assert.rejects(layout.source.open(content), { code: 'CONTENT_NOT_FOUND' }, kind)
    assert.equal(await layout.source.find(content.digest), undefined)
    const report = await verify(layout)
    assert.deepEqual(
      report.problems.map((problem) => problem.kind),
      ['missing'],
      kind,
    )
  }
  for (const file of ['index.json', 'oci-layout']) {
    const path = await foreign(named(someDigest))
    await rm(join(path, file))
    await promisify(execFile)('mkfifo', [join(path, file)])
    await assert.rejects(
      openLayout(path).then((layout) => layout.roots()),
      { code: 'LAYOUT_INVALID' },
    )
    await rm(join(path, file))
    await symlink(outside, join(path, file))
    await assert.rejects(
      openLayout(path).then((layout) => layout.roots()),
      { code: 'LAYOUT_INVALID' },
    )
  }
})

test('a blob of another size or other bytes than its name says is never given out as good', async () => {
  const root = await putImage(source, 'lying', [2000])
  const path = await foreign({ schemaVersion: 2, manifests: [root] }, await bytesUnder(root))
  const victim = join(path, 'blobs/sha256', digestHex(root.digest))
  const good = await readFile(victim)
  for (const bad of [good.subarray(1), Buffer.concat([good, Buffer.from(' ')]), Buffer.alloc(good.length)]) {
    await writeFile(victim, bad)
    const layout = await openLayout(path)
    await assert.rejects(copy(root, layout.source, new MemoryStore()), {
      code: bad.length === good.length ? 'DIGEST_MISMATCH' : 'SIZE_MISMATCH',
    })
    assert.ok(
      (await verify(layout)).problems.some(({ kind, what }) => kind === 'damaged' && what === root.digest),
    )
  }
})

test('a folder that is a layout of another version is not written to', async () => {
  const path = await foreign({ schemaVersion: 2, manifests: [] })
  await writeFile(join(path, 'oci-layout'), '{"imageLayoutVersion":"2.0.0"}')
  await assert.rejects(openLayout(path), { code: 'LAYOUT_INVALID' })
  const root = await putImage(source, 'version', [1])
  await assert.rejects(copy(root, source, new LayoutTarget(path)), { code: 'LAYOUT_INVALID' })
})

const path = '/layout'
const writing = (root: Descriptor): Undertaking => ({
  run: async (fs) => {
    await copy(root, source, new LayoutTarget(path, { fs, repository: 'a.example/b' }), {
      tags: ['1'],
      concurrency: 1,
    })
  },
  check: async (fs, isDone) => {
    for (const { name } of await fs.list(`${path}/blobs/sha256`)) {
      const digest = `sha256:${name}`
      assert.ok(isDigest(digest), 'nothing in blobs/ but blobs')
      const file = await fs.open(`${path}/blobs/sha256/${name}`, 'read')
      const bytes = Buffer.alloc(await file.size())
      await file.read(bytes, 0)
      assert.equal(digestOf(bytes), digest)
    }
    if (!(await fs.stat(`${path}/index.json`))) return assert.ok(!isDone)
    const layout = await openLayout(path, { fs })
    assert.deepEqual((await verify(layout)).problems, [])
    assert.equal((await layout.source.resolve('a.example/b:1')).digest, root.digest)
  },
})

test('the power fails anywhere: no blob is torn, index.json names only what is there, a rerun completes', async () => {
  const root = await putImage(source, 'cut', [0, 10, 70_000])
  await crashEverywhere(writing(root), { seed: 1 })
})

test('a disk that fills up is told of, and the rerun completes', async () => {
  const root = await putImage(source, 'full', [10, 70_000])
  await fillEverywhere(writing(root), [0, 50, 1000, 60_000, 70_100])
})

test('contents of one process are taken up by the next, contents of a living one are not', async () => {
  const path = fresh()
  const bytes = seededBytes('taken up', 3_000_000)
  const content = await put(source, bytes, mediaTypes.octets)
  const cut = async (target: LayoutTarget, expected: number) => {
    await assert.rejects(
      target.write(content, async (offset) => {
        assert.equal(offset, expected)
        const reader = bytesReader(bytes.subarray(offset))
        let left = 1_500_000
        return {
          read: async (into) => {
            const count = await reader.read(into)
            left -= count
            if (left < 0) throw new Error('cut')
            return count
          },
          close: () => reader.close(),
        }
      }),
      /cut/,
    )
  }
  await cut(new LayoutTarget(path), 0)
  const [left = ''] = await readdir(join(path, '.sealift'))
  assert.match(left, new RegExp(`^sha256-${digestHex(content.digest)}\\..+\\.partial$`))
  await cut(new LayoutTarget(path), 1024 * 1024)
  const next = new LayoutTarget(path)
  await next.write(content, async (offset) => {
    assert.ok(offset >= 2 * 1024 * 1024)
    return bytesReader(bytes.subarray(offset))
  })
  await next.commit()
  await readVerified((await openLayout(path)).source, content, content.size)
  assert.deepEqual(await readdir(path), ['blobs', 'index.json', 'oci-layout'])
})
