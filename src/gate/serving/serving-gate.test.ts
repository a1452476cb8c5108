import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { bytesReader, MemoryStore } from '#content/index.ts'
import { type Descriptor, digestOf, mediaTypes } from '#oci/index.ts'
import type { Proof } from '#trust/index.ts'
import { policyOf, type TestSigner, testSigner } from '../../../test/support/signed-content.ts'
import { ContentGate } from '../content-gate.ts'
import { prepareRules } from '../rules.ts'
import type { Question } from '../types.ts'
import { ServingGate } from './serving-gate.ts'

const { signal } = new AbortController()
let vendor: TestSigner
before(async () => {
  vendor = await testSigner()
})

async function put(store: MemoryStore, text: string | object, mediaType: string): Promise<Descriptor> {
  const bytes = Buffer.from(typeof text === 'string' ? text : JSON.stringify({ mediaType, ...text }))
  const content = { mediaType, digest: digestOf(bytes), size: bytes.length }
  await store.write(content, async (offset) => bytesReader(bytes.subarray(offset)))
  return content
}

/** An image in the store; `subject` makes it point at something. */
async function image(
  store: MemoryStore,
  name: string,
  subject?: Descriptor,
  configType: string = mediaTypes.ociConfig,
) {
  const config = await put(store, `{"config":"${name}"}`, configType)
  const layer = await put(store, `layer of ${name}`, mediaTypes.ociLayer)
  const manifest = await put(
    store,
    { schemaVersion: 2, config, layers: [layer], ...(subject && { subject }) },
    mediaTypes.ociManifest,
  )
  return { manifest, config, layer }
}

async function served(proofs: ReadonlyMap<string, readonly Proof[]>) {
  const { policy, ...material } = await policyOf({
    keys: { vendor: { pem: vendor.pem } },
    rules: [{ content: 'registry.example/shop/**', signatures: [{ from: [{ key: 'vendor' }] }] }],
  })
  const rules = prepareRules({ policy, material })
  const asked: Question[] = []
  const gate = new ContentGate({ rules: () => rules })
  const serving = new ServingGate({
    gate: {
      ask(question, signal) {
        asked.push(question)
        return gate.ask(question, signal)
      },
    },
    environment: 'production',
    referenceOf: (name) => `registry.example/${name}`,
    proofsOf: async (_, { digest }) => proofs.get(digest) ?? [],
  })
  return { serving, asked }
}

const principal = { kind: 'anonymous', name: '' } as const
const ask = async (serving: ServingGate, repository: MemoryStore, content: Descriptor, name = 'shop/web') =>
  (await serving.admit({ principal, name, repository, content }, signal)).allowed
const blob = ({ digest, size }: Descriptor): Descriptor => ({ mediaType: mediaTypes.octets, digest, size })

test('a blob is given out where an admitted manifest of its repository reaches it, whoever came first', async () => {
  const store = new MemoryStore()
  const good = await image(store, 'good')
  const bad = await image(store, 'bad')
  await store.tag(good.manifest, 'good')
  await store.tag(bad.manifest, 'bad')
  const orphan = await put(store, 'nobody names me', mediaTypes.octets)
  const proofs = new Map([[good.manifest.digest, [await vendor.prove(good.manifest.digest)]]])
  const { serving, asked } = await served(proofs)
  assert.equal(await ask(serving, store, blob(good.layer)), true)
  assert.equal(await ask(serving, store, blob(good.config)), true)
  assert.equal(asked.length, 1, 'blobs of one manifest ask once')
  assert.equal(await ask(serving, store, good.manifest), true)
  assert.equal(await ask(serving, store, bad.manifest), false)
  assert.equal(await ask(serving, store, blob(bad.layer)), false)
  assert.equal(await ask(serving, store, orphan), false)
})

test('a layer that an admitted image shares is given out; the same digest in another repository is not', async () => {
  const store = new MemoryStore()
  const good = await image(store, 'good')
  const other = new MemoryStore()
  await image(other, 'good')
  await store.tag(good.manifest, 'good')
  const proofs = new Map([[good.manifest.digest, [await vendor.prove(good.manifest.digest)]]])
  const { serving } = await served(proofs)
  assert.equal(await ask(serving, store, blob(good.layer)), true)
  assert.equal(await ask(serving, other, blob(good.layer), 'elsewhere/web'), false)
})

test('a child of a signed index is admitted by the index', async () => {
  const store = new MemoryStore()
  const child = await image(store, 'child')
  const index = await put(store, { schemaVersion: 2, manifests: [child.manifest] }, mediaTypes.ociIndex)
  await store.tag(index, 'multi')
  const proofs = new Map([[index.digest, [await vendor.prove(index.digest)]]])
  const { serving } = await served(proofs)
  assert.equal(await ask(serving, store, child.manifest), true)
  assert.equal(await ask(serving, store, blob(child.layer)), true)
})

test('what belongs to admitted content comes with it, but an image that points at it does not', async () => {
  const store = new MemoryStore()
  const good = await image(store, 'good')
  await store.tag(good.manifest, 'good')
  const proofs = new Map([[good.manifest.digest, [await vendor.prove(good.manifest.digest)]]])
  const sbom = await image(store, 'sbom', good.manifest, mediaTypes.empty)
  const smuggled = await image(store, 'smuggled', good.manifest)
  const { serving } = await served(proofs)
  assert.equal(await ask(serving, store, sbom.manifest), true)
  assert.equal(await ask(serving, store, blob(sbom.layer)), true)
  assert.equal(await ask(serving, store, smuggled.manifest), false)
  assert.equal(await ask(serving, store, blob(smuggled.layer)), false)
})

test('who may sign reads what is not signed yet; who may only pull does not', async () => {
  const store = new MemoryStore()
  const fresh = await image(store, 'fresh')
  const { serving } = await served(new Map())
  const as = async (role: 'releaser' | 'operator') =>
    (
      await serving.admit(
        {
          principal: { kind: 'user', name: role },
          roles: [role],
          name: 'shop/web',
          repository: store,
          content: fresh.manifest,
        },
        signal,
      )
    ).allowed
  assert.deepEqual([await as('releaser'), await as('operator')], [true, false])
})
