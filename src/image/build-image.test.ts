import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { limits } from '#base/index.ts'
import { MemoryStore, type Target } from '#content/index.ts'
import { type Descriptor, mediaTypes } from '#oci/index.ts'
import { type BuildOptions, buildImage, sourceDateEpoch } from './build-image.ts'
import { elfFile } from './elf.suite.ts'
import { hostFiles } from './host-files.ts'
import { imageOf, tarOf } from './layers.suite.ts'
import { hostArchitecture } from './machines.ts'
import { selectImage } from './select-image.ts'
import { sharedLibraries } from './shared-libraries.ts'
import type { ImageSpec, LayerSpec } from './spec.ts'
import { systemFiles } from './system-files.ts'
import { tarMembers } from './tar-reader.ts'
import { unpackImage } from './unpack-image.ts'

const platform = { os: 'linux', architecture: 'amd64' }

async function folder() {
  const path = await mkdtemp(join(tmpdir(), 'sealift-build-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** Builds, and gives back what is in the layers: "mode uid:gid path content". */
async function build(spec: Partial<ImageSpec>, options: BuildOptions = {}) {
  const store = new MemoryStore()
  const descriptor = await buildImage({ platform, layers: [], ...spec }, store, options)
  const image = await selectImage(store, descriptor, descriptor.platform!)
  const layers = image.manifest.layers.map((layer) => ({ layer, bytes: store.held(layer.digest)!.bytes }))
  return { ...image, store, descriptor, layers }
}

async function membersOf(layer: { bytes: Uint8Array }): Promise<string[]> {
  const lines: string[] = []
  async function* whole() {
    yield layer.bytes[0] === 0x1f ? gunzipSync(layer.bytes) : layer.bytes
  }
  for await (const { name, mode, uid, gid, linkName, mtimeSeconds, body } of tarMembers(whole())) {
    const parts: Uint8Array[] = []
    for await (const part of body) parts.push(part)
    const content = linkName ? `-> ${linkName}` : Buffer.concat(parts).toString()
    lines.push(`${mode.toString(8)} ${uid}:${gid} ${mtimeSeconds} ${name} ${content}`.trim())
  }
  return lines
}

const one = (layer: LayerSpec): Partial<ImageSpec> => ({ layers: [layer], compression: 'none' })

test('the same spec has this digest, on every machine', async () => {
  const spec: Partial<ImageSpec> = {
    layers: [
      {
        files: [
          { to: '/z/ä', content: 'non-ASCII', uid: 3_000_000 },
          { to: 'app/run', content: '#!/bin/true', mode: 0o755 },
          { to: `/${'long/'.repeat(60)}name`, content: new Uint8Array(1000) },
        ],
        symlinks: [{ path: '/bin', target: 'usr/bin' }],
        directories: [{ path: '/tmp', mode: 0o1777 }],
        comment: 'the app',
      },
    ],
    config: {
      entrypoint: ['/app/run'],
      env: { B: '2', A: '1' },
      workingDir: '/app',
      user: '1000',
      labels: { l: 'v' },
      exposedPorts: ['8080', '53/udp'],
      volumes: ['/data'],
      stopSignal: 'SIGINT',
    },
    annotations: { 'org.opencontainers.image.title': 'x' },
    compression: 'none',
  }
  const built = await build(spec)
  assert.equal(
    built.descriptor.digest,
    'sha256:17bef9ddc39f2740d91ccd027aaa9300c6192d32c45042cd79b6775e218890f0',
  )
  assert.equal((await build(spec, { epochSeconds: 1_700_000_000 })).config.created, '2023-11-14T22:13:20Z')
  assert.deepEqual(built.config.execution.exposedPorts, ['53/udp', '8080/tcp'])
})

test('entries are sorted, parents are made once, owners and modes are normal', async () => {
  const { layers } = await build({
    layers: [
      {
        files: [
          { to: '/b/c/f', content: 'x', uid: 5, gid: 6 },
          { to: '/b.c', content: 'y', mode: 0 },
        ],
      },
      { files: [{ to: '/b/c/g', content: '' }], symlinks: [{ path: '/l', target: 'b' }] },
      { files: [{ to: '/l/h', content: '' }] },
    ],
  })
  const found = await Promise.all(layers.map(membersOf))
  assert.deepEqual(found, [
    ['755 0:0 0 b/', '0 0:0 0 b.c y', '755 0:0 0 b/c/', '644 5:6 0 b/c/f x'],
    ['644 0:0 0 b/c/g', '777 0:0 0 l -> b'],
    ['644 0:0 0 l/h'],
  ])
})

test('a host tree gives one digest whatever its times, modes and order', async () => {
  const digests: string[] = []
  for (const round of [0, 1]) {
    await using here = await folder()
    const tree = join(here.path, `tree${round}`)
    await mkdir(join(tree, 'sub'), { recursive: true, mode: round ? 0o700 : 0o777 })
    const names = ['b', 'a', 'sub/c']
    for (const name of round ? names : names.toReversed()) await writeFile(join(tree, name), name)
    await symlink('../nowhere', join(tree, 'sub/link'))
    await chmod(join(tree, 'a'), round ? 0o700 : 0o755)
    await chmod(join(tree, 'b'), round ? 0o600 : 0o664)
    await utimes(join(tree, 'a'), round * 1000, round * 1000)
    const { descriptor, layers } = await build(one({ files: [{ from: tree, to: '/srv' }] }))
    digests.push(descriptor.digest)
    assert.deepEqual(await membersOf(layers[0]!), [
      '755 0:0 0 srv/',
      '755 0:0 0 srv/a a',
      '644 0:0 0 srv/b b',
      '755 0:0 0 srv/sub/',
      '644 0:0 0 srv/sub/c sub/c',
      '777 0:0 0 srv/sub/link -> ../nowhere',
    ])
  }
  assert.equal(digests[0], digests[1])
})

test('gzip and zstd say the same twice, and gzip names neither time nor system', async () => {
  const layers = [{ files: [{ to: '/f', content: 'some text '.repeat(50_000) }] }]
  for (const compression of ['gzip', 'zstd', 'none'] as const) {
    const [a, b] = [await build({ layers, compression }), await build({ layers, compression })]
    assert.equal(a.descriptor.digest, b.descriptor.digest)
    const head = a.layers[0]!.bytes.subarray(0, 10)
    if (compression === 'gzip') assert.deepEqual([...head], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])
    await using here = await folder()
    await unpackImage(a.store, a, join(here.path, 'root'), { ownership: false })
  }
  const levels = await Promise.all([1, 9].map((compressionLevel) => build({ layers, compressionLevel })))
  assert.notEqual(levels[0]!.descriptor.digest, levels[1]!.descriptor.digest)
  await assert.rejects(build({ layers, compressionLevel: 10 }), { code: 'IMAGE_SPEC_INVALID' })
})

test('an executable brings its linker and libraries, and they are found where they lie', async () => {
  const { layers, store, manifest, config } = await build({
    platform: { os: 'linux', architecture: hostArchitecture() },
    layers: [{ executables: [{ from: '/bin/true', to: '/bin/yes' }, { from: '/bin/true' }] }, systemFiles()],
  })
  const names = (await membersOf(layers[0]!)).map((line) => line.split(' ')[3])
  assert.ok(names.includes('bin/yes') && names.includes('bin/true'))
  await using here = await folder()
  const root = join(here.path, 'root')
  await unpackImage(store, { manifest, config }, root, { ownership: false })
  const before = await sharedLibraries('/bin/true', hostFiles())
  const inside = await sharedLibraries('/bin/yes', hostFiles(root))
  assert.deepEqual(
    inside.files.map(({ to }) => to),
    before.files.map(({ to }) => to),
  )
  for (const { from, to } of inside.files) assert.equal(from, to)
})

test('executables for another machine, and two libraries of one name, are refused', async () => {
  await using here = await folder()
  const at = (name: string) => join(here.path, name)
  await mkdir(at('one'))
  await mkdir(at('two'))
  await writeFile(at('ld.so'), elfFile())
  await writeFile(at('one/liba.so'), elfFile({ soname: 'one' }))
  await writeFile(at('two/liba.so'), elfFile({ soname: 'two' }))
  const app = (rpath: string) => elfFile({ interpreter: at('ld.so'), needed: ['liba.so'], rpath: at(rpath) })
  await writeFile(at('app1'), app('one'))
  await writeFile(at('app2'), app('two'))
  await build(one({ executables: [{ from: at('app1') }] }))
  await assert.rejects(build(one({ executables: [{ from: at('app1') }, { from: at('app2') }] })), {
    code: 'LIBRARY_CONFLICT',
  })
  const arm = { os: 'linux', architecture: 'arm64' }
  await assert.rejects(build({ ...one({ executables: [{ from: at('app1') }] }), platform: arm }), {
    code: 'EXECUTABLE_INVALID',
  })
})

test('what cannot go into a layer is refused', async () => {
  const refused = (layer: LayerSpec, code = 'IMAGE_SPEC_INVALID') =>
    assert.rejects(build(one(layer)), { code })
  const file = { content: '' }
  await refused({ files: [{ ...file, to: '/a/../b' }] })
  await refused({ files: [{ ...file, to: '/' }] })
  await refused({ files: [{ ...file, to: 'a\0' }] })
  await refused({ files: [{ ...file, to: '/.wh.a' }] })
  await refused({ files: [{ ...file, to: 'x'.repeat(limits.nameBytes + 1) }] })
  await refused({ files: [{ to: '/a' }] })
  await refused({ files: [{ to: '/a', from: '/x', content: '' }] })
  await refused({
    files: [
      { ...file, to: '/a' },
      { ...file, to: 'a' },
    ],
  })
  await refused({
    files: [
      { ...file, to: '/a' },
      { ...file, to: '/a/b' },
    ],
  })
  await refused({ files: [{ ...file, to: '/a', mode: 0o10000 }] })
  await refused({ files: [{ ...file, to: '/a', uid: -1 }] })
  await refused({ symlinks: [{ path: '/a', target: '' }] })
  await refused({ files: [{ from: '/no/such/file', to: '/a' }] }, 'IMAGE_FILE_UNSUITABLE')
  await refused({ files: [{ from: '/dev/null', to: '/a' }] }, 'IMAGE_FILE_UNSUITABLE')
  await assert.rejects(build({ config: { workingDir: 'app' } }), { code: 'IMAGE_SPEC_INVALID' })
  await assert.rejects(build({ config: { env: { 'A=B': 'c' } } }), { code: 'IMAGE_SPEC_INVALID' })
  await assert.rejects(build({ config: { exposedPorts: ['70000'] } }), { code: 'IMAGE_SPEC_INVALID' })
  await assert.rejects(build({ config: { cmd: ['a\0'] } }), { code: 'IMAGE_SPEC_INVALID' })
  await assert.rejects(build({}, { epochSeconds: -1 }), { code: 'IMAGE_SPEC_INVALID' })
})

test('on a base: its layers and family stay, its config is added to', async () => {
  for (const docker of [true, false]) {
    const source = new MemoryStore()
    const lower = {
      tar: await tarOf([
        { name: 'etc/', type: 'directory' },
        { name: 'etc/old', content: 'old' },
      ]),
    }
    const root = await imageOf(source, [lower], {
      docker,
      config: {
        config: { Env: ['PATH=/bin', 'B=1'], Cmd: ['sh'], Labels: { a: '1' }, OnBuild: ['x'] },
        history: [{ created_by: 'base' }],
        custom: true,
      },
    })
    const base = await selectImage(source, root, platform)
    const built = await build({
      base: { source, root },
      layers: [{ files: [{ to: '/etc/new', content: 'new' }], comment: 'ours' }],
      config: { entrypoint: ['/x'], env: { B: '2', C: '3' }, labels: { b: '2' } },
    })
    assert.equal(built.manifest.mediaType, docker ? mediaTypes.dockerManifest : mediaTypes.ociManifest)
    assert.equal(built.manifest.config.mediaType, docker ? mediaTypes.dockerConfig : mediaTypes.ociConfig)
    assert.deepEqual(built.manifest.layers[0], base.manifest.layers[0])
    assert.equal(
      built.manifest.layers[1]?.mediaType,
      docker ? mediaTypes.dockerLayerGzip : mediaTypes.ociLayerGzip,
    )
    const json = built.config.json as { [key: string]: unknown }
    assert.deepEqual(json.config, {
      Env: ['PATH=/bin', 'B=2', 'C=3'],
      Entrypoint: ['/x'],
      Labels: { a: '1', b: '2' },
      OnBuild: ['x'],
    })
    assert.equal(json.custom, true)
    assert.equal((json.history as unknown[]).length, 2)
    assert.deepEqual(await membersOf(built.layers[1]!), ['644 0:0 0 etc/new new'], 'no parents over a base')
  }
})

test('a Docker base takes neither zstd nor annotations', async () => {
  const source = new MemoryStore()
  const root = await imageOf(source, [], { docker: true })
  const base = { source, root }
  await assert.rejects(build({ base, compression: 'zstd' }), { code: 'IMAGE_SPEC_INVALID' })
  await assert.rejects(build({ base, annotations: { a: 'b' } }), { code: 'IMAGE_SPEC_INVALID' })
})

/** A target without uploads of unknown digest, which writes down what it is asked for. */
class PlainTarget implements Target {
  readonly store = new MemoryStore()
  readonly calls: string[] = []
  readonly failing: boolean
  constructor(failing = false) {
    this.failing = failing
  }
  resolve: Target['resolve'] = (reference) => this.store.resolve(reference)
  open: Target['open'] = (content, range) => this.store.open(content, range)
  has: Target['has'] = (content) => this.store.has(content)
  async prepare(plan: Parameters<NonNullable<Target['prepare']>>[0]) {
    this.calls.push(`prepare ${plan.contents.length}`)
  }
  async write(content: Descriptor, from: Parameters<Target['write']>[1]) {
    this.calls.push(content.mediaType)
    if (this.failing) throw new Error('the target fails')
    await (await from(1)).close()
    return this.store.write(content, from)
  }
  async tag(manifest: Descriptor, reference: string) {
    this.calls.push(`tag ${reference}`)
    await this.store.tag(manifest, reference)
  }
  async commit() {
    this.calls.push('commit')
  }
}

test('any target gets all it is promised, in order, and the temporary files go', async () => {
  await using here = await folder()
  const spec = {
    platform,
    layers: [{ files: [{ to: '/a', content: 'a' }] }, { files: [{ to: '/b', content: 'b' }] }],
  }
  const target = new PlainTarget()
  const options = { temporaryDirectory: here.path, tags: ['v1'] }
  const descriptor = await buildImage(spec, target, options)
  assert.deepEqual(target.calls, [
    'prepare 4',
    mediaTypes.ociLayerGzip,
    mediaTypes.ociLayerGzip,
    mediaTypes.ociConfig,
    mediaTypes.ociManifest,
    'tag v1',
    'commit',
  ])
  assert.equal((await buildImage(spec, new MemoryStore())).digest, descriptor.digest)
  assert.deepEqual(await readdir(here.path), [])
  await assert.rejects(buildImage(spec, new PlainTarget(true), options), /the target fails/)
  assert.deepEqual(await readdir(here.path), [])
})

test('a file that is not what it was is told, and a signal stops the build', async () => {
  await using here = await folder()
  // Files of /proc have no size, and content all the same.
  await assert.rejects(
    buildImage({ layers: [{ files: [{ from: '/proc/self/status', to: '/s' }] }] }, new MemoryStore()),
    {
      code: 'IMAGE_FILE_UNSUITABLE',
    },
  )
  const target = new PlainTarget()
  await assert.rejects(
    buildImage({ layers: [{ files: [{ to: '/a', content: 'a' }] }] }, target, {
      signal: AbortSignal.abort(new Error('enough')),
      temporaryDirectory: here.path,
    }),
  )
  assert.deepEqual(target.calls, [])
  assert.deepEqual(await readdir(here.path), [])
})

test('SOURCE_DATE_EPOCH is a number of seconds, or absent', () => {
  assert.equal(sourceDateEpoch({}), 0)
  assert.equal(sourceDateEpoch({ SOURCE_DATE_EPOCH: '1700000000' }), 1_700_000_000)
  assert.throws(() => sourceDateEpoch({ SOURCE_DATE_EPOCH: 'now' }), { code: 'IMAGE_SPEC_INVALID' })
})
