import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isFailure, type Json } from '#base/index.ts'
import { bytesReader, contentFailure, copy, MemoryStore } from '#content/index.ts'
import { buildImage } from '#image/index.ts'
import { type Descriptor, digestOf, mediaTypes, parseManifest } from '#oci/index.ts'
import { checkBundle, formatBundle } from '../bundle-file.ts'
import type { CnabBundle } from '../bundle-schema.ts'
import type { LocateImage } from '../relocation/locate.ts'
import { openBundleGraph } from './bundle-source.ts'
import { bundleToIndex, type ConfigDress, configDresses, writeBundleIndex } from './bundle-to-index.ts'
import { publishBundle } from './publish.ts'
import { readBundleIndex } from './read-bundle-index.ts'

const fails = (code: string) => (error: unknown) => isFailure(error, code)
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()

/** Two images in stores of their own, and a bundle of them. */
async function setup() {
  const stores = [new MemoryStore(), new MemoryStore()] as const
  const build = (store: MemoryStore, content: string) =>
    buildImage({ layers: [{ files: [{ content, to: '/f' }] }], compression: 'none' }, store)
  const roots = [await build(stores[0], 'run'), await build(stores[1], 'app')] as const
  const image = (name: string, { digest, size, mediaType }: Descriptor) => ({
    image: `${name}@${digest}`,
    contentDigest: digest,
    size,
    mediaType,
  })
  const bundle = checkBundle({
    schemaVersion: 'v1.2.0',
    name: 'hello <world>',
    version: '0.1.2',
    description: 'Ä & B',
    keywords: ['a', 'b'],
    maintainers: [{ name: 'M', email: 'm@example.com' }],
    invocationImages: [image('example/run', roots[0])],
    images: { zoo: image('example/app', roots[1]), app: image('other/app', roots[1]) },
  } as unknown as Json)
  const locate: LocateImage = async ({ image }) => {
    const at = image.startsWith('example/run') ? 0 : 1
    return { source: stores[at], root: roots[at] }
  }
  return { stores, roots, bundle, locate }
}

describe('a bundle as an index', () => {
  test('is what cnab-to-oci writes, byte for byte', async () => {
    const { bundle, roots } = await setup()
    const { root, configManifest, config } = bundleToIndex(bundle)
    assert.equal(text(config.bytes), text(formatBundle(bundle)))
    const plain = ({ mediaType, digest, size }: Descriptor) =>
      `"mediaType":"${mediaType}","digest":"${digest}","size":${size}`
    assert.equal(
      text(configManifest.bytes),
      `{"schemaVersion":2,"config":{${plain(config.descriptor)}},"layers":null}`,
    )
    assert.equal(config.descriptor.mediaType, 'application/vnd.cnab.config.v1+json')
    const role = (name: string, more = '') => `"annotations":{${more}"io.cnab.manifest.type":"${name}"}`
    const component = (name: string) => role('component', `"io.cnab.component.name":"${name}",`)
    assert.equal(
      text(root.bytes),
      `{"schemaVersion":2,"manifests":[{${plain(configManifest.descriptor)},${role('config')}},` +
        `{${plain(roots[0])},${role('invocation')}},{${plain(roots[1])},${component('app')}},` +
        `{${plain(roots[1])},${component('zoo')}}],"annotations":{"io.cnab.keywords":"[\\"a\\",\\"b\\"]",` +
        `"io.cnab.runtime_version":"v1.2.0","org.opencontainers.artifactType":"application/vnd.cnab.manifest.v1",` +
        `"org.opencontainers.image.authors":"[{\\"name\\":\\"M\\",\\"email\\":\\"m@example.com\\",\\"url\\":\\"\\"}]",` +
        `"org.opencontainers.image.description":"Ä \\u0026 B","org.opencontainers.image.title":"hello \\u003cworld\\u003e",` +
        `"org.opencontainers.image.version":"0.1.2"}}`,
    )
  })

  for (const dress of configDresses) {
    test(`is read again in the form ${dress}`, async () => {
      const { bundle, roots } = await setup()
      const store = new MemoryStore()
      const index = bundleToIndex(bundle, () => undefined, dress)
      await writeBundleIndex(index, store, { tags: ['v1'] })
      const found = await readBundleIndex(store, await store.resolve('v1'))
      assert.deepEqual(found.bundle, bundle)
      assert.equal(text(found.bytes), text(formatBundle(bundle)))
      assert.equal(found.invocationImage.digest, roots[0].digest)
      assert.deepEqual([...found.components.keys()], ['app', 'zoo'])
    })
  }

  test('is read with the media type of the spec, and without annotations on descriptors', async () => {
    const { bundle } = await setup()
    const store = new MemoryStore()
    const { root, configManifest, config } = bundleToIndex(bundle)
    const put = async (mediaType: string, bytes: Uint8Array) => {
      const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length }
      await writeBundleIndex(
        { root: { descriptor, bytes }, configManifest: { descriptor, bytes }, config },
        store,
      )
      return descriptor
    }
    const specType = 'application/vnd.cnab.bundle.config.v1+json'
    const manifest = await put(
      mediaTypes.ociManifest,
      Buffer.from(text(configManifest.bytes).replace(config.descriptor.mediaType, specType)),
    )
    const body = JSON.parse(text(root.bytes))
    body.manifests[0] = manifest
    for (const entry of body.manifests) delete entry.annotations
    const bare = await put(mediaTypes.ociIndex, Buffer.from(JSON.stringify(body)))
    const found = await readBundleIndex(store, bare)
    assert.deepEqual(found.bundle, bundle)
    assert.deepEqual([...found.components.keys()], ['app', 'zoo'])
  })

  const broken: readonly (readonly [
    string,
    (body: { manifests: Descriptor[]; annotations?: object }) => void,
  ])[] = [
    [
      'no bundle at all',
      (body) => {
        for (const entry of body.manifests) delete (entry as { annotations?: object }).annotations
        delete body.annotations
      },
    ],
    ['two configs', (body) => body.manifests.push(body.manifests[0]!)],
    ['no invocation image', (body) => body.manifests.splice(1, 1)],
    ['a component that is not there', (body) => body.manifests.pop()],
    ['a component twice', (body) => body.manifests.push(body.manifests.at(-1)!)],
    [
      'a component with another digest',
      (body) => Object.assign(body.manifests[2]!, { digest: digestOf(Buffer.from('x')) }),
    ],
    [
      'an image for a config',
      (body) => {
        const { annotations } = body.manifests[0]!
        body.manifests[0] = { ...body.manifests[1]!, annotations: annotations! }
      },
    ],
  ]
  for (const [name, change] of broken) {
    test(`refuses ${name}`, async () => {
      const { bundle, locate } = await setup()
      const store = new MemoryStore()
      const { root } = await publishBundle(bundle, store, { locate })
      const body = JSON.parse(text(bundleToIndex(bundle).root.bytes))
      assert.ok(root)
      change(body)
      const bytes = Buffer.from(JSON.stringify(body))
      const descriptor = { mediaType: mediaTypes.ociIndex, digest: digestOf(bytes), size: bytes.length }
      const { configManifest, config } = bundleToIndex(bundle)
      await writeBundleIndex({ root: { descriptor, bytes }, configManifest, config }, store)
      // The config of an image could be that of a bundle, in the fallback form, until it is read.
      const code = name === 'an image for a config' ? 'BUNDLE_INVALID' : 'BUNDLE_INDEX_INVALID'
      await assert.rejects(readBundleIndex(store, descriptor), fails(code))
    })
  }

  test('needs one invocation image, and pinned ones', async () => {
    const { bundle } = await setup()
    const [image] = bundle.invocationImages
    assert.throws(
      () => bundleToIndex({ ...bundle, invocationImages: [image!, image!] }),
      fails('BUNDLE_INVALID'),
    )
    assert.throws(
      () => bundleToIndex({ ...bundle, invocationImages: [{ image: 'a' }] }),
      fails('IMAGE_UNPINNED'),
    )
  })
})

describe('publishing', () => {
  test('brings the index and all images, from several places, with what refers to them', async () => {
    const { bundle, locate, roots, stores } = await setup()
    const subject = roots[1]
    const body = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        artifactType: 'application/x-proof',
        config: { mediaType: mediaTypes.empty, digest: digestOf(Buffer.from('{}')), size: 2 },
        layers: [],
        subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size },
      }),
    )
    const proof = { mediaType: mediaTypes.ociManifest, digest: digestOf(body), size: body.length }
    const empty = { mediaType: mediaTypes.empty, digest: digestOf(Buffer.from('{}')), size: 2 }
    await stores[1].write(empty, async () => bytesReader(Buffer.from('{}')))
    await stores[1].write(proof, async () => bytesReader(body))
    await stores[1].tag(proof, `sha256-${subject.digest.slice(7)}.sig`)

    const target = new MemoryStore()
    const { root } = await publishBundle(bundle, target, { locate, tags: ['0.1.2'] })
    assert.equal((await target.resolve('0.1.2')).digest, root.digest)
    assert.equal((await target.resolve(`sha256-${subject.digest.slice(7)}.sig`)).digest, proof.digest)
    const referrers = await Array.fromAsync(target.referrers(subject.digest))
    assert.deepEqual(
      referrers.map(({ digest }) => digest),
      [proof.digest],
    )
    // Everything below the root is there: a copy out of the target alone succeeds.
    const again = new MemoryStore()
    const result = await copy(root, target, again)
    assert.deepEqual(result.absent, [])
    assert.deepEqual((await readBundleIndex(again, root)).bundle, bundle)
  })

  test('tries the fallbacks where it may, and tells the first refusal', async () => {
    const { bundle, locate } = await setup()
    class Picky extends MemoryStore {
      readonly tried: string[] = []
      readonly refuses: readonly ConfigDress[]
      constructor(refuses: readonly ConfigDress[]) {
        super()
        this.refuses = refuses
      }
      override async write(...args: Parameters<MemoryStore['write']>) {
        const [content, from] = args
        if (content.mediaType === mediaTypes.ociManifest || content.mediaType === mediaTypes.dockerManifest) {
          const reader = await from(0)
          const bytes = new Uint8Array(content.size)
          await reader.read(bytes)
          const manifest = parseManifest(bytes, content.mediaType)
          const type = manifest.kind === 'image' ? manifest.config.mediaType : ''
          const isConfig =
            manifest.kind === 'image' &&
            (manifest.layers.length === 0 || manifest.layers[0]!.digest === manifest.config.digest)
          const dress = /cnab/.test(type) ? 'cnab' : /docker/.test(type) ? 'docker' : 'oci'
          if (isConfig) this.tried.push(dress)
          if (isConfig && this.refuses.includes(dress)) {
            throw contentFailure('CONTENT_READ_ONLY', `refused ${dress}`)
          }
        }
        return super.write(...args)
      }
    }
    const picky = new Picky(['cnab', 'oci'])
    const { root } = await publishBundle(bundle, picky, { locate, fallbacks: true })
    assert.equal(root.mediaType, mediaTypes.dockerIndex)
    assert.deepEqual((await readBundleIndex(picky, root)).bundle, bundle)
    await assert.rejects(publishBundle(bundle, new Picky(['cnab']), { locate }), /refused cnab/)
    await assert.rejects(
      publishBundle(bundle, new Picky(configDresses), { locate, fallbacks: true }),
      /refused cnab/,
    )
  })

  test('refuses an image that is not what the bundle promises', async () => {
    const { bundle, locate, roots, stores } = await setup()
    const swapped: LocateImage = async (image, options) =>
      image.image.startsWith('example/run') ? { source: stores[1], root: roots[1] } : locate(image, options)
    await assert.rejects(openBundleGraph(bundle, swapped), fails('IMAGE_DIGEST'))
    const bare: CnabBundle = { ...bundle, invocationImages: [{ image: 'example/run' }] }
    assert.ok(await openBundleGraph(bare, locate), 'where the bundle promises nothing, nothing is broken')
  })
})
