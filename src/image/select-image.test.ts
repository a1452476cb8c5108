import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { limits, SealiftError } from '#base/index.ts'
import { MemoryStore } from '#content/index.ts'
import { type Descriptor, mediaTypes, parsePlatform } from '#oci/index.ts'
import { parseImageConfig } from './image-config.ts'
import { imageOf, json, put, tarOf } from './layers.suite.ts'
import { selectImage } from './select-image.ts'

const indexOf = (store: MemoryStore, manifests: readonly Descriptor[]) =>
  put(store, mediaTypes.ociIndex, json({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }))

const platformed = (descriptor: Descriptor, text: string): Descriptor => ({
  ...descriptor,
  platform: parsePlatform(text),
})

async function images(store: MemoryStore) {
  const layer = { tar: await tarOf([{ name: 'a' }]) }
  const amd = await imageOf(store, [layer])
  const arm = await imageOf(store, [layer], {
    platform: { os: 'linux', architecture: 'arm64' },
    docker: true,
  })
  return { layer, amd, arm }
}

test('an index leads to the image for the platform, with its config', async () => {
  const store = new MemoryStore()
  const { amd, arm } = await images(store)
  const unknown = { ...amd, platform: { os: 'unknown', architecture: 'unknown' } }
  const root = await indexOf(store, [
    unknown,
    platformed(amd, 'linux/amd64'),
    platformed(arm, 'linux/arm64/v8'),
  ])
  const found = await selectImage(store, root, parsePlatform('linux/arm64'))
  assert.equal(found.descriptor.digest, arm.digest)
  assert.equal(found.config.platform.architecture, 'arm64')
  assert.equal(found.manifest.layers.length, 1)
  await assert.rejects(selectImage(store, root, parsePlatform('linux/s390x')), {
    code: 'PLATFORM_NOT_FOUND',
    detail: { offered: ['linux/amd64', 'linux/arm64/v8'] },
  })
})

test('indexes in indexes, and images that only their config tells apart', async () => {
  const store = new MemoryStore()
  const { amd, arm } = await images(store)
  const root = await indexOf(store, [await indexOf(store, [amd, arm])])
  assert.equal((await selectImage(store, root, parsePlatform('linux/arm64'))).descriptor.digest, arm.digest)
  assert.equal((await selectImage(store, arm, parsePlatform('linux/arm64/v8'))).descriptor.digest, arm.digest)
  await assert.rejects(selectImage(store, arm, parsePlatform('linux/amd64')), { code: 'PLATFORM_NOT_FOUND' })
})

test('indexes nested too deep are refused', async () => {
  const store = new MemoryStore()
  let root = (await images(store)).amd
  for (let depth = 0; depth < 3; depth++) root = await indexOf(store, [root])
  const amd64 = parsePlatform('linux/amd64')
  await selectImage(store, root, amd64, { limits: { ...limits, graphDepth: 3 } })
  await assert.rejects(selectImage(store, root, amd64, { limits: { ...limits, graphDepth: 2 } }), {
    code: 'IMAGE_CONFIG_INVALID',
  })
})

test('a config that does not name every layer is refused', async () => {
  const store = new MemoryStore()
  const config = await put(
    store,
    mediaTypes.ociConfig,
    json({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers' } }),
  )
  const root = await put(
    store,
    mediaTypes.ociManifest,
    json({ schemaVersion: 2, config, layers: [{ ...config, mediaType: mediaTypes.ociLayer }] }),
  )
  await assert.rejects(selectImage(store, root, parsePlatform('linux/amd64')), {
    code: 'IMAGE_CONFIG_INVALID',
  })
})

test('a config is parsed into plain members, null for absent as Go writes it', () => {
  const rootfs = { type: 'layers', diff_ids: null }
  const config = parseImageConfig(
    json({
      os: 'linux',
      architecture: 'arm',
      variant: 'v7',
      created: '1970-01-01T00:00:00Z',
      rootfs,
      config: {
        Env: ['A=b'],
        Entrypoint: null,
        Cmd: ['c'],
        User: '1:2',
        ExposedPorts: { '80/tcp': {} },
        Labels: null,
      },
      other: 1,
    }),
  )
  assert.deepEqual(config.platform, { os: 'linux', architecture: 'arm', variant: 'v7' })
  assert.deepEqual(config.execution, {
    user: '1:2',
    env: ['A=b'],
    entrypoint: [],
    cmd: ['c'],
    workingDir: '',
    labels: {},
    exposedPorts: ['80/tcp'],
    volumes: [],
  })
  assert.equal(config.json.other, 1)
  for (const bad of [
    [],
    {},
    { rootfs: { type: 'other' } },
    { rootfs: { type: 'layers', diff_ids: ['x'] } },
    { rootfs, os: 1 },
    { rootfs, config: { Env: 'A=b' } },
    { rootfs, config: { Cmd: ['a\0b'] } },
    { rootfs, config: { Labels: { a: 1 } } },
    { rootfs, config: [] },
  ]) {
    assert.throws(() => parseImageConfig(json(bad)), { code: 'IMAGE_CONFIG_INVALID' }, JSON.stringify(bad))
  }
})

test('any JSON is a config or fails with a code, and its size is bounded', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (execution, rest) => {
      const spread = typeof rest === 'object' ? rest : {}
      try {
        parseImageConfig(json({ rootfs: { type: 'layers', diff_ids: [] }, config: execution, ...spread }))
      } catch (error) {
        assert.ok(error instanceof SealiftError)
      }
    }),
  )
  const bytes = json({ rootfs: { type: 'layers' } })
  parseImageConfig(bytes, { ...limits, imageConfigBytes: bytes.length })
  assert.throws(() => parseImageConfig(bytes, { ...limits, imageConfigBytes: bytes.length - 1 }), {
    code: 'JSON_TOO_LARGE',
  })
})
