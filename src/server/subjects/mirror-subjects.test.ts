import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesReader, type Container, MemoryRepositories, type Root } from '#content/index.ts'
import { type Descriptor, digestOf, mediaTypes, parseReference } from '#oci/index.ts'
import { proofOf } from '#trust/index.ts'
import type { PinnedReference } from '../types.ts'
import { containerMirror, registryMirror } from './mirror-places.ts'
import { type Gather, MirrorSubjects } from './mirror-subjects.ts'

const never = new AbortController().signal
const manifestType = 'application/vnd.oci.image.manifest.v1+json'
const indexType = 'application/vnd.oci.image.index.v1+json'

/** One proof for each content: its referrers, as texts. */
const gather: Gather = async function* (repository, subject, signal) {
  for await (const { digest } of repository.referrers(subject.digest, undefined, { signal })) {
    yield proofOf('bundle', Buffer.from(digest), digest)
  }
}

async function put(repositories: MemoryRepositories, name: string, body: object, mediaType: string) {
  const store = await repositories.create(name)
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...body }))
  const descriptor: Descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length }
  await store.write(descriptor, async (offset) => bytesReader(bytes.subarray(offset)))
  return { descriptor, store }
}

async function image(repositories: MemoryRepositories, name: string, tag: string) {
  const store = await repositories.create(name)
  const blob = Buffer.from(`{"tag":"${tag}"}`)
  const config = { mediaType: mediaTypes.octets, digest: digestOf(blob), size: blob.length }
  await store.write(config, async (offset) => bytesReader(blob.subarray(offset)))
  const { descriptor } = await put(repositories, name, { config, layers: [] }, manifestType)
  await store.tag(descriptor, tag)
  const sign = () =>
    put(
      repositories,
      name,
      { config, layers: [], subject: descriptor, annotations: { a: tag } },
      manifestType,
    )
  return { descriptor, sign, config }
}

const pinned = (text: string) => parseReference(text) as PinnedReference

test('under a prefix the path of the original is looked up, and what is there already', async () => {
  const repositories = new MemoryRepositories()
  const { descriptor, sign } = await image(repositories, 'vendor/shop/web', '1')
  await sign()
  const asked: string[] = []
  const stores = { 'vendor/shop/web': await repositories.create('vendor/shop/web') }
  const empty = await repositories.create('empty')
  const mirror = registryMirror(
    {
      repository: ({ registry, repository }) => {
        asked.push(`${registry}/${repository}`)
        return stores[repository as 'vendor/shop/web'] ?? empty
      },
    },
    'registry.enclave:5000/vendor/',
  )
  const subjects = new MirrorSubjects([mirror], gather)
  for (const name of ['registry.example/shop/web', 'registry.enclave:5000/vendor/shop/web']) {
    assert.equal(await subjects.resolve(parseReference(`${name}:1`), never), descriptor.digest)
    const found = await subjects.find(pinned(`${name}@${descriptor.digest}`), never)
    assert.equal(found.mediaType, manifestType)
    assert.equal(found.proofs.length, 1)
  }
  assert.deepEqual([...new Set(asked)], ['registry.enclave:5000/vendor/shop/web'])
  await assert.rejects(subjects.resolve(parseReference('registry.example/shop/web:2'), never), {
    code: 'IMAGE_NOT_FOUND',
  })
  await assert.rejects(subjects.find(pinned(`x.io/y@sha256:${'0'.repeat(64)}`), never), {
    code: 'IMAGE_NOT_FOUND',
  })
})

test('in a container: by whole name, by path under another prefix, with what holds it; opened again when it changes', async () => {
  const repositories = new MemoryRepositories()
  const name = 'registry.example/shop/web'
  const { descriptor, sign } = await image(repositories, name, '1')
  const index = await put(repositories, name, { manifests: [descriptor] }, indexType)
  const outer = await put(repositories, name, { manifests: [index.descriptor] }, indexType)
  const roots: Root[] = [{ descriptor: outer.descriptor, reference: `${name}:1` }]
  let opened = 0
  let closed = 0
  let stamp = 'one'
  const container: Container = {
    roots: async () => roots,
    source: outer.store,
    repository: (name) => repositories.repository(name),
    names: (page) => repositories.names(page),
    contents: async function* () {},
    close: async () => void closed++,
  }
  const open = async () => {
    opened++
    return container
  }
  await using mirror = containerMirror({ name: 'app.tgz', open, stamp: async () => stamp, closeAfterMs: 0 })
  const subjects = new MirrorSubjects([mirror], gather)
  for (const spelled of [name, 'registry.enclave/vendor/shop/web']) {
    const found = await subjects.find(pinned(`${spelled}@${descriptor.digest}`), never)
    assert.deepEqual(found.proofs, [])
    assert.deepEqual(
      found.within?.map(({ digest }) => digest),
      [index.descriptor.digest, outer.descriptor.digest],
    )
  }
  for (const other of ['registry.enclave/workshop/web', 'registry.enclave/shop/web2']) {
    await assert.rejects(subjects.find(pinned(`${other}@${descriptor.digest}`), never), {
      code: 'IMAGE_NOT_FOUND',
    })
  }
  assert.equal(opened, 1)
  await sign()
  stamp = 'two'
  assert.equal((await subjects.find(pinned(`${name}@${descriptor.digest}`), never)).proofs.length, 1)
  assert.equal(opened, 2)
  await new Promise((resolve) => setTimeout(resolve, 10))
  assert.equal(closed, 1)
})

test('proofs of several mirrors count together; a mirror that fails is no absence', async () => {
  const [one, two] = [new MemoryRepositories(), new MemoryRepositories()]
  const first = await image(one, 'shop/web', '1')
  const second = await image(two, 'shop/web', '1')
  assert.equal(first.descriptor.digest, second.descriptor.digest)
  await second.sign()
  const stores = [await one.create('shop/web'), await two.create('shop/web')] as const
  const mirrors = stores.map((store) => registryMirror({ repository: () => store }))
  const reference = pinned(`r.example/shop/web@${first.descriptor.digest}`)
  assert.equal((await new MirrorSubjects(mirrors, gather).find(reference, never)).proofs.length, 1)
  const broken = registryMirror({
    repository: () => {
      throw new Error('connection refused')
    },
  })
  await assert.rejects(new MirrorSubjects([...mirrors, broken], gather).find(reference, never), {
    code: 'MIRROR_UNAVAILABLE',
  })
})
