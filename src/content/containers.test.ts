import assert from 'node:assert/strict'
import { mkdir, mkdtemp, open, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { type FileSystem, isFailure, type Limits, limits, nodeFileSystem } from '#base/index.ts'
import type { Descriptor } from '#oci/index.ts'
import { dockerSave } from '../../test/support/docker-save.ts'
import { layoutMembers } from '../../test/support/layout-members.ts'
import { putImage, putIndex } from '../../test/support/random-image.ts'
import { tarFile } from '../../test/support/tar-file.ts'
import { ArchiveWriter } from './archive/writer.ts'
import { copy } from './copy.ts'
import { openDockerArchive } from './docker-archive.ts'
import { LayoutTarget } from './layout-target.ts'
import { MemoryStore } from './memory.ts'
import { openOciArchive } from './oci-archive.ts'
import { OciArchiveTarget } from './oci-archive-target.ts'
import { type ContainerKind, type OpenedContainer, openContainer } from './open-container.ts'
import { readVerified } from './readers.ts'
import type { Container } from './types.ts'
import { verify } from './verify.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealift-containers-'))
})
after(() => rm(folder, { recursive: true }))

let counter = 0
const fresh = (end = '.tar'): string => join(folder, `c${counter++}${end}`)

async function written(bytes: Uint8Array, end?: string): Promise<string> {
  const path = fresh(end)
  await writeFile(path, bytes)
  return path
}

async function using<C extends Container, T>(
  opening: Promise<C>,
  act: (container: C) => Promise<T>,
): Promise<T> {
  const container = await opening
  try {
    return await act(container)
  } finally {
    await container.close()
  }
}

/** What the layout of one image and one index looks like, as a folder, an archive and tars. */
const layerSizes = [0, 1, 511, 512, 513, 70_000]
async function source(seed: string): Promise<{ store: MemoryStore; image: Descriptor; index: Descriptor }> {
  const store = new MemoryStore()
  return { store, image: await putImage(store, seed, layerSizes), index: await putIndex(store, `${seed}-i`) }
}

async function ociArchive(seed: string, repository?: string): Promise<string> {
  const { store, image } = await source(seed)
  const path = fresh()
  const target = new OciArchiveTarget(path, repository === undefined ? {} : { repository })
  await copy(image, store, target, { tags: ['1.0', 'latest'] })
  return path
}

test('everything that openContainer knows opens, is whole, and reports every flipped bit of content', async () => {
  const { store, image, index } = await source('all')
  const layout = fresh('')
  await copy(index, store, new LayoutTarget(layout, { repository: 'a.example/app' }), { tags: ['1.0'] })
  const archive = fresh('.tgz')
  await using writer = new ArchiveWriter(archive)
  await copy(image, store, writer.repository('a.example/app'), { tags: ['1.0'] })
  const oci = await ociArchive('all', 'a.example/app')
  const docker = await written(dockerSave().bytes)
  const paths: [string, ContainerKind][] = [
    [layout, 'layout'],
    [archive, 'archive'],
    [oci, 'oci-archive'],
    [docker, 'docker-archive'],
  ]
  for (const [path, kind] of paths) {
    await opened(path, async (container) => {
      assert.equal(container.kind, kind)
      assert.deepEqual((await verify(container)).problems, [], kind)
      const [name] = await container.names()
      assert.ok(name && (await container.repository(name)))
      assert.equal(await container.bundle(1000), undefined)
    })
    for (const content of await contentsOf(path)) await assertFlipIsFound(path, content)
  }
})

const opened = <T>(path: string, act: (container: OpenedContainer) => Promise<T>) =>
  using(openContainer(path), act)

const contentsOf = (path: string) =>
  opened(path, async (container) => {
    const list: Buffer[] = []
    for await (const { digest, size } of container.contents()) {
      const content = { mediaType: 'application/octet-stream', digest, size }
      list.push(Buffer.from(await readVerified(container.source, content, size)))
    }
    return list
  })

/** Flips a bit wherever this content is stored, looks what verify says, and flips it back. */
async function assertFlipIsFound(path: string, content: Buffer): Promise<void> {
  const file = await fileOf(path, content)
  if (content.length === 0 || !file) return
  const handle = await open(file.path, 'r+')
  try {
    const at = file.at + Math.min(content.length >> 1, 1000)
    const byte = Buffer.alloc(1)
    await handle.read(byte, 0, 1, at)
    await handle.write(Buffer.of(byte[0]! ^ 1), 0, 1, at)
    const report = await opened(path, (container) => verify(container)).catch((error) => error)
    assert.ok(isFailure(report) || report.problems.length > 0, `${file.path} at ${at}`)
    await handle.write(byte, 0, 1, at)
  } finally {
    await handle.close()
  }
}

async function fileOf(path: string, content: Buffer): Promise<{ path: string; at: number } | undefined> {
  const isFolder = (await stat(path)).isDirectory()
  const files = isFolder ? (await readdir(path, { recursive: true })).map((name) => join(path, name)) : [path]
  for (const file of files) {
    if ((await stat(file)).isDirectory()) continue
    const at = (await readFile(file)).indexOf(content.subarray(0, 60_000))
    if (at >= 0) return { path: file, at }
  }
  return undefined
}

test('an oci-archive is deterministic, whatever the order of arrival', async () => {
  const first = await readFile(await ociArchive('same'))
  const { store, image } = await source('same')
  const path = fresh()
  await copy(image, store, new OciArchiveTarget(path), { tags: ['latest', '1.0'], concurrency: 1 })
  assert.ok(first.equals(await readFile(path)))
  assert.equal(first.subarray(0, 10).toString(), 'oci-layout')
  assert.equal(first.subarray(1024, 1034).toString(), 'index.json')
})

test('an oci-archive has its name only when it is whole, and a rerun starts over', async () => {
  const { store, image } = await source('broken')
  const path = fresh()
  const failing = {
    resolve: (reference: string) => store.resolve(reference),
    open: async (content: Descriptor) => {
      if (content.size === 70_000) throw new Error('the link is cut')
      return store.open(content)
    },
  }
  const target = new OciArchiveTarget(path)
  await assert.rejects(copy(image, failing, target, { tags: ['1.0'] }), /the link is cut/)
  await assert.rejects(stat(path), { code: 'ENOENT' })
  await assert.rejects(target.commit(), { code: 'CONTENT_NOT_FOUND' })
  // Meanwhile the first one's FILE.partial is what a kill leaves.
  await using again = new OciArchiveTarget(path)
  await copy(image, store, again, { tags: ['1.0'] })
  await target[Symbol.asyncDispose]()
  assert.deepEqual((await using(openOciArchive(path), (container) => verify(container))).problems, [])
})

test('an oci-archive is on the disk before it has its name, and its name after', async () => {
  const events: string[] = []
  const recording: FileSystem = {
    ...nodeFileSystem,
    async open(path, mode) {
      const file = await nodeFileSystem.open(path, mode)
      return {
        read: (into, position) => file.read(into, position),
        write: (bytes, position) => file.write(bytes, position).then(() => void events.push('write')),
        truncate: (sizeBytes) => file.truncate(sizeBytes),
        sync: () => file.sync().then(() => void events.push('sync')),
        size: () => file.size(),
        close: () => file.close(),
      }
    },
    rename: (from, to) => nodeFileSystem.rename(from, to).then(() => void events.push('rename')),
    syncDirectory: (path) => nodeFileSystem.syncDirectory(path).then(() => void events.push('syncDirectory')),
  }
  const { store, image } = await source('synced')
  const path = fresh()
  await copy(image, store, new OciArchiveTarget(path, { fs: recording }), { tags: ['1.0'] })
  assert.deepEqual(events.slice(-4), ['write', 'sync', 'rename', 'syncDirectory'])
  assert.equal(events.indexOf('sync'), events.length - 3)
})

test('a full disk is told of before anything is written', async () => {
  const { store, image } = await source('full')
  const path = fresh()
  await copy(image, store, new OciArchiveTarget(path), { tags: ['1.0'] })
  const needed = (await stat(path)).size
  const free = (sizeBytes: number) => ({ fs: { ...nodeFileSystem, freeBytes: async () => sizeBytes } })
  await copy(image, store, new OciArchiveTarget(path, free(needed)), { tags: ['1.0'] })
  const target = new OciArchiveTarget(fresh(), free(needed - 1))
  await assert.rejects(copy(image, store, target, { tags: ['1.0'] }), { code: 'DISK_FULL' })
})

test('short names, whole names and digests resolve; what is not there does not', async () => {
  const short = await ociArchive('names')
  await using(openOciArchive(short), async ({ source: whole, roots }) => {
    const { digest } = (await roots())[0]!.descriptor
    assert.equal((await whole.resolve('1.0')).digest, digest)
    assert.equal((await whole.resolve(digest)).digest, digest)
    await assert.rejects(whole.resolve('2.0'), { code: 'CONTENT_NOT_FOUND' })
  })
  await using(
    openOciArchive(await ociArchive('names', 'a.example/app')),
    async ({ source: whole, names }) => {
      await whole.resolve('a.example/app:1.0')
      await assert.rejects(whole.resolve('a.example/app:2.0'), { code: 'CONTENT_NOT_FOUND' })
      assert.deepEqual(await names(), ['a.example/app', 'app'])
    },
  )
})

test('a host with a port is no part of a repository that can be asked for', async () => {
  await using(openOciArchive(await ociArchive('names', 'localhost:5000/app')), async ({ names }) => {
    assert.deepEqual(await names(), ['app'])
  })
})

test('a name that BuildKit and Docker wrote is the whole one, and the tag is found too', async () => {
  const { layout } = await layoutMembers({
    'io.containerd.image.name': 'docker.io/library/app:1.0',
    'org.opencontainers.image.ref.name': '1.0',
  })
  await using(openContainer(await written(tarFile(layout))), async (container) => {
    assert.equal((await container.roots())[0]?.reference, 'docker.io/library/app:1.0')
    for (const name of ['1.0', 'app:1.0', 'docker.io/library/app:1.0']) await container.source.resolve(name)
  })
})

test('a thick bundle of another tool opens: compressed through, in several gzip members, or unpacked', async () => {
  const { layout, image } = await layoutMembers({}, './artifacts/layout/')
  const bundle = Buffer.from('{"schemaVersion":"1.2.0"}')
  const tar = tarFile([{ name: './bundle.json', bytes: bundle }, ...layout])
  const half = tar.length >> 1
  const unpacked = fresh('')
  for (const { name, bytes } of [{ name: 'bundle.json', bytes: bundle }, ...layout]) {
    await mkdir(join(unpacked, name, '..'), { recursive: true })
    await writeFile(join(unpacked, name), bytes!)
  }
  const link = fresh('')
  await symlink(unpacked, link)
  const paths = [
    await written(tar),
    await written(gzipSync(tar), '.tgz'),
    await written(Buffer.concat([gzipSync(tar.subarray(0, half)), gzipSync(tar.subarray(half))]), '.tgz'),
    await written(zstdCompressSync(tar), '.tar.zst'),
    unpacked,
    link,
  ]
  for (const path of paths) {
    await opened(path, async (container) => {
      assert.ok(bundle.equals(Buffer.from((await container.bundle(1000))!)), path)
      assert.deepEqual((await verify(container)).problems, [])
      assert.equal((await container.roots())[0]?.descriptor.digest, image.digest)
    })
  }
})

test('the sizes of what is read into memory are bounded', async () => {
  const { bytes, config } = dockerSave()
  const docker = await written(bytes)
  const at = (bounds: Partial<Limits>) => ({ limits: { ...limits, ...bounds } })
  const opens = (bounds: Partial<Limits>) => openDockerArchive(docker, at(bounds)).then((it) => it.close())
  await opens({ graphWidth: 3, imageConfigBytes: config.length })
  await assert.rejects(opens({ graphWidth: 2 }), { code: 'ARCHIVE_HOSTILE' })
  await assert.rejects(opens({ imageConfigBytes: config.length - 1 }), { code: 'ARCHIVE_INVALID' })
  await assert.rejects(opens({ manifestBytes: 10 }), { code: 'ARCHIVE_INVALID' })
  const { layout } = await layoutMembers()
  const index = layout[1]?.bytes?.length ?? 0
  const oci = await written(tarFile(layout))
  await using(openOciArchive(oci, at({ layoutIndexBytes: index })), (container) => container.roots())
  await assert.rejects(openOciArchive(oci, at({ layoutIndexBytes: index - 1 })), { code: 'ARCHIVE_INVALID' })
})

test('a closed container has let go of its file, and so has one that did not open', async () => {
  let openFiles = 0
  const counting: FileSystem = {
    ...nodeFileSystem,
    async open(path, mode) {
      const file = await nodeFileSystem.open(path, mode)
      openFiles++
      let isOpen = true
      const close = async () => {
        openFiles -= Number(isOpen)
        isOpen = false
        await file.close()
      }
      const { read, write, truncate, sync, size } = Object.getPrototypeOf(file)
      const bound = [read, write, truncate, sync, size].map((method) => method.bind(file))
      return { read: bound[0], write: bound[1], truncate: bound[2], sync: bound[3], size: bound[4], close }
    },
  }
  const { layout } = await layoutMembers()
  const whole = [tarFile(layout), gzipSync(tarFile(layout)), dockerSave({ gzip: true }).bytes]
  for (const bytes of whole) {
    await using(openContainer(await written(bytes), { fs: counting }), (container) => verify(container))
    assert.equal(openFiles, 0)
  }
  for (const bytes of [
    Buffer.from('no tar'),
    gzipSync('no tar'),
    tarFile([{ name: 'x' }]),
    dockerSave({ change: () => [{}] }).bytes,
  ]) {
    await assert.rejects(openContainer(await written(bytes), { fs: counting }), { code: 'ARCHIVE_INVALID' })
    assert.equal(openFiles, 0)
  }
})

test('what is no container is named for what it is', async () => {
  const tar = tarFile([{ name: 'readme.txt' }])
  const cases: [bytes: Uint8Array, message: RegExp][] = [
    [new Uint8Array(0), /is empty/],
    [Buffer.from('PK\x03\x04....'), /zip/],
    [Buffer.from('{"schemaVersion":"1.2.0"}'), /JSON/],
    [Buffer.from('just some words'), /no tar/],
    [tar, /holds "readme.txt"/],
    [gzipSync('no tar at all'), /no tar/],
    [gzipSync(tar).subarray(0, 40), /gzip/],
  ]
  for (const [bytes, message] of cases) {
    await assert.rejects(openContainer(await written(bytes)), { code: 'ARCHIVE_INVALID', message })
  }
  await assert.rejects(openContainer(folder), {
    code: 'LAYOUT_INVALID',
    message: /no OCI layout: it holds "/,
  })
  await assert.rejects(openContainer(fresh()), { code: 'CONTENT_NOT_FOUND' })
  await assert.rejects(openContainer('/dev/null'), { code: 'ARCHIVE_INVALID' })
  await assert.rejects(openOciArchive(await written(tar)), { code: 'LAYOUT_INVALID' })
  const future = tarFile([{ name: 'oci-layout', bytes: Buffer.from('{"imageLayoutVersion":"2.0.0"}') }])
  await assert.rejects(openOciArchive(await written(future)), { code: 'LAYOUT_INVALID' })
  const bare = tarFile([{ name: 'oci-layout', bytes: Buffer.from('{"imageLayoutVersion":"1.0.0"}') }])
  await assert.rejects(openOciArchive(await written(bare)), { code: 'LAYOUT_INVALID' })
})
