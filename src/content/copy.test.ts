import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '#base/index.ts'
import { type Descriptor, digestOf, mediaTypes, parsePlatform } from '#oci/index.ts'
import { put, putImage, putIndex, putJson } from '../../test/support/random-image.ts'
import { copy, copyAll } from './copy.ts'
import { MemoryRepositories, MemoryStore } from './memory.ts'
import { legacyTag, walk } from './walk.ts'

const image = { schemaVersion: 2, mediaType: mediaTypes.ociManifest }

test('a copy brings the whole graph, tagged, and a second one moves nothing', async () => {
  const source = new MemoryStore()
  const target = new MemoryStore()
  const root = await putIndex(source, 'a')
  const first = await copy(root, source, target, { tags: ['1.0', 'latest'] })
  assert.equal(first.copied.items, 3 + 2 + 3)
  assert.deepEqual(await target.resolve('1.0'), root)
  assert.deepEqual(await target.tags(), ['1.0', 'latest'])
  const second = await copy(root, source, target)
  assert.deepEqual(second.copied, { items: 0, sizeBytes: 0 })
  assert.deepEqual(second.present, first.copied)
})

test('referrers, their referrers and legacy signatures travel along; where they are not wanted they stay', async () => {
  const source = new MemoryStore()
  const root = await putIndex(source, 'b')
  const arm64 = (await walk(root, source)).root.children[1]!.descriptor
  const signature = await putImage(source, 'sig', [10], { subject: arm64 })
  const proof = await putImage(source, 'proof', [11], { subject: signature })
  const legacy = await putImage(source, 'legacy', [12])
  await source.tag(legacy, legacyTag(root.digest, 'sig'))
  const target = new MemoryStore()
  const result = await copy(root, source, target)
  assert.equal(result.companions, 3)
  for (const content of [signature, proof, legacy]) assert.ok(await target.has(content))
  assert.deepEqual(await target.resolve(legacyTag(root.digest, 'sig')), legacy)
  const found: Descriptor[] = []
  for await (const descriptor of target.referrers(arm64.digest)) found.push(descriptor)
  assert.deepEqual(
    found.map(({ digest }) => digest),
    [signature.digest],
  )
  const bare = new MemoryStore()
  await copy(root, source, bare, { referrers: false })
  assert.ok(!(await bare.has(signature)) && !(await bare.has(legacy)))
})

test('platforms: only their children travel, the index stays whole, BuildKit attestations go with their image', async () => {
  const source = new MemoryStore()
  const amd64 = await putImage(source, 'amd64', [10])
  const arm64 = await putImage(source, 'arm64', [10])
  const unknown = { os: 'unknown', architecture: 'unknown' }
  const attestation = async (subject: Descriptor) => ({
    ...(await putImage(source, `att-${subject.digest}`, [5])),
    platform: unknown,
    annotations: { 'vnd.docker.reference.digest': subject.digest },
  })
  const manifests = [
    { ...amd64, platform: parsePlatform('linux/amd64') },
    { ...arm64, platform: parsePlatform('linux/arm64') },
    await attestation(amd64),
    await attestation(arm64),
  ]
  const root = await putJson(source, { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests } as never)
  const target = new MemoryStore()
  const result = await copy(root, source, target, { platforms: [parsePlatform('linux/arm64')] })
  assert.ok(await target.has(root))
  assert.deepEqual(await Promise.all(manifests.map((child) => target.has(child))), [false, true, false, true])
  assert.equal(result.absent.length, 2)
  // What arrived is a sparse index: it travels on as it is.
  const onward = await copy(root, target, new MemoryStore())
  assert.equal(onward.absent.length, 2)
})

test('each unique content is asked for once, the largest first, manifests after what they name', async () => {
  const source = new MemoryStore()
  const shared = [100, 5000, 70]
  const one = await putImage(source, 'same', shared)
  const two = await putImage(source, 'same', shared, { annotations: { two: 'yes' } })
  const opened: string[] = []
  const written: Descriptor[] = []
  const watched = {
    resolve: (reference: string) => source.resolve(reference),
    open: (content: Descriptor, range?: { offset: number }) => {
      opened.push(content.digest)
      return source.open(content, range)
    },
  }
  const target = new MemoryStore()
  const write = target.write.bind(target)
  target.write = async (content, from) => {
    const outcome = await write(content, from)
    written.push(content)
    return outcome
  }
  await copyAll(
    [
      { root: one, source: watched, target },
      { root: two, source: watched, target },
    ],
    { concurrency: 1 },
  )
  assert.equal(opened.length, new Set(opened).size)
  const sizes = written
    .filter(({ mediaType }) => mediaType !== mediaTypes.ociManifest)
    .map(({ size }) => size)
  assert.deepEqual(
    sizes,
    [...sizes].sort((a, b) => b - a),
  )
  assert.deepEqual(new Set(written.slice(-2).map(({ digest }) => digest)), new Set([one.digest, two.digest]))
})

test('neighbours in one place are served in turn, so that the second can mount', async () => {
  const source = new MemoryStore()
  const root = await putImage(source, 'm', [1000])
  const place = new MemoryRepositories()
  const [a, b] = [await place.create('a'), await place.create('b')]
  const order: string[] = []
  for (const [name, store] of [
    ['a', a],
    ['b', b],
  ] as const) {
    const write = store.write.bind(store)
    store.write = async (content, from) => {
      const mounted = await store.mount(content.digest, undefined)
      if (content.mediaType !== mediaTypes.ociManifest) order.push(`${name} ${mounted ? 'mounts' : 'reads'}`)
      return mounted ? 'mounted' : write(content, from)
    }
  }
  await copyAll([
    { root, source, target: a },
    { root, source, target: b },
  ])
  assert.deepEqual(order.sort(), ['a reads', 'a reads', 'b mounts', 'b mounts'])
})

test('a failure stops the rest and is the one that is thrown; a signal stops the whole', async () => {
  const source = new MemoryStore()
  const root = await putImage(source, 'f', [10, 20, 30])
  const target = new MemoryStore()
  target.write = async () => {
    throw new Error('disk on fire')
  }
  await assert.rejects(copy(root, source, target), /disk on fire/)
  const stop = AbortSignal.abort(new Error('enough'))
  await assert.rejects(copy(root, source, new MemoryStore(), { signal: stop }), /enough/)
})

test('progress ends at its total and never goes back', async () => {
  const source = new MemoryStore()
  const root = await putIndex(source, 'p')
  let total = 0
  let reached = 0
  await copy(root, source, new MemoryStore(), {
    onProgress: (event) => {
      if (event.type === 'total') total = event.sizeBytes
      if (event.type === 'advance') {
        assert.ok(event.sizeBytes > 0)
        reached += event.sizeBytes
      }
    },
  })
  assert.ok(total > 0)
  assert.equal(reached, total)
})

test('graphs are bounded in depth and number, and sizes that contradict each other are refused', async () => {
  const source = new MemoryStore()
  let root = await putImage(source, 'deep', [1])
  for (let depth = 0; depth < 5; depth++) {
    root = await putJson(source, {
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [root],
    } as never)
  }
  await walk(root, source, { limits: { ...limits, graphDepth: 5 } })
  await assert.rejects(walk(root, source, { limits: { ...limits, graphDepth: 4 } }), {
    code: 'GRAPH_TOO_DEEP',
  })
  const wide = await putImage(source, 'wide', [1, 2, 3])
  await walk(wide, source, { limits: { ...limits, graphNodes: 5 } })
  await assert.rejects(walk(wide, source, { limits: { ...limits, graphNodes: 4 } }), {
    code: 'GRAPH_TOO_LARGE',
  })
  const config = await put(source, Buffer.from('{}'), mediaTypes.ociConfig)
  const lie = await putJson(source, { ...image, config, layers: [{ ...config, size: 3 }] } as never)
  await assert.rejects(walk(lie, source), { code: 'SIZE_MISMATCH' })
})

test('a blob that is missing fails, an absent foreign layer does not', async () => {
  const source = new MemoryStore()
  const config = await put(source, Buffer.from('{}'), mediaTypes.ociConfig)
  const gone = { mediaType: mediaTypes.ociLayer, digest: digestOf(Buffer.from('gone')), size: 4 }
  const broken = await putJson(source, { ...image, config, layers: [gone] } as never)
  await assert.rejects(copy(broken, source, new MemoryStore()), { code: 'CONTENT_NOT_FOUND' })
  const foreign = { ...gone, mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip' }
  const legal = await putJson(source, { ...image, config, layers: [foreign] } as never)
  const result = await copy(legal, source, new MemoryStore())
  assert.deepEqual(result.absent, [foreign])
})
