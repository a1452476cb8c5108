import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { limits } from '#base/index.ts'
import { MemoryStore } from '#content/index.ts'
import { digestOf, mediaTypes } from '#oci/index.ts'
import { imageOf, tarOf } from './layers.suite.ts'
import { selectImage } from './select-image.ts'
import { amd64, file, folder, unpackLayers } from './unpack.suite.ts'
import { unpackImage } from './unpack-image.ts'

test('a layer that inflates beyond the ratio is a bomb', async () => {
  const layer = {
    tar: await tarOf([file('zeros', '\0'.repeat(4_000_000))]),
    mediaType: mediaTypes.ociLayerZstd,
  }
  await using here = await folder()
  await unpackLayers([layer], `${here.root}1`, { limits: { ...limits, inflationRatio: 4000 } })
  await assert.rejects(unpackLayers([layer], here.root), { code: 'LAYER_TOO_LARGE' })
  assert.deepEqual(readdirSync(here.path), ['root1'])
})

test('a blob that is not what its digest says leaves nothing, wherever the damage is', async () => {
  const tar = await tarOf([file('a', 'content of a file'.repeat(5000))])
  const store = new MemoryStore()
  const image = await selectImage(
    store,
    await imageOf(store, [{ tar, mediaType: mediaTypes.ociLayer }, { tar: await tarOf([file('b')]) }]),
    amd64,
  )
  for (const layer of image.manifest.layers) {
    const bytes = store.held(layer.digest)!.bytes
    for (const at of [0, 9, Math.floor(bytes.length / 2), bytes.length - 1]) {
      await using here = await folder()
      bytes[at]! ^= 1
      await assert.rejects(
        unpackImage(store, image, here.root, { ownership: false }),
        { code: 'DIGEST_MISMATCH' },
        `byte ${at}`,
      )
      bytes[at]! ^= 1
      assert.deepEqual(readdirSync(here.path), [])
    }
  }
})

test('what stands after the compressed stream is verified too', async () => {
  const tar = await tarOf([file('a')])
  for (const mediaType of [mediaTypes.ociLayerGzip, mediaTypes.ociLayerZstd]) {
    const store = new MemoryStore()
    const image = await selectImage(store, await imageOf(store, [{ tar, mediaType }]), amd64)
    const layer = image.manifest.layers[0]!
    const longer = Buffer.concat([store.held(layer.digest)!.bytes, Buffer.alloc(1_000_000)])
    const claimed = { ...layer, size: longer.length }
    const source = { open: async () => ({ read: reading(longer), close: async () => {} }) }
    await using here = await folder()
    const lying = { ...image, manifest: { ...image.manifest, layers: [claimed] } }
    await assert.rejects(unpackImage(source, lying, here.root), { code: 'DIGEST_MISMATCH' }, mediaType)
    assert.deepEqual(readdirSync(here.path), [])
  }
})

function reading(bytes: Uint8Array) {
  let at = 0
  return async (into: Uint8Array) => {
    const part = bytes.subarray(at, at + Math.min(into.length, 1000))
    into.set(part)
    at += part.length
    return part.length
  }
}

test('a layer that is not what the config says is LAYER_MISMATCH', async () => {
  await using here = await folder()
  const diffId = digestOf(new Uint8Array(1))
  await assert.rejects(unpackLayers([{ tar: await tarOf([file('a')]), diffId }], here.root), {
    code: 'LAYER_MISMATCH',
  })
  assert.deepEqual(readdirSync(here.path), [])
})

test('bytes that do not decompress, or are no tar, are LAYER_INVALID', async () => {
  await using here = await folder()
  const junk = new TextEncoder().encode('this is neither gzip nor tar'.repeat(40))
  await assert.rejects(unpackLayers([{ tar: junk, blob: junk }], here.root), { code: 'LAYER_INVALID' })
  await assert.rejects(
    unpackLayers([{ tar: junk, blob: junk, mediaType: mediaTypes.ociLayerZstd }], here.root),
    {
      code: 'LAYER_INVALID',
    },
  )
  await assert.rejects(unpackLayers([{ tar: junk }], here.root), { code: 'LAYER_INVALID' })
})
