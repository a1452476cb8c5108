import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { nodeFileSystem } from '#base/index.ts'
import { bytesReader, copy, MemoryStore } from '#content/index.ts'
import { targetTests } from '#content/target.suite.ts'
import { type Descriptor, digestOf, mediaTypes } from '#oci/index.ts'
import { FakeRegistry, problem, send } from '../../../test/support/fake-registry.ts'
import { putImage, putIndex, seededBytes } from '../../../test/support/random-image.ts'
import { quickClient } from '../../../test/support/registry-client.ts'
import { fileUploadJournal } from './upload-journal.ts'

const contentOf = (bytes: Uint8Array): Descriptor => ({
  mediaType: mediaTypes.octets,
  digest: digestOf(bytes),
  size: bytes.length,
})
const from =
  (bytes: Uint8Array, offsets: number[] = []) =>
  async (offset: number) => {
    offsets.push(offset)
    return bytesReader(bytes.subarray(offset))
  }

const registries: FakeRegistry[] = []
targetTests('a registry', async () => {
  const registry = await FakeRegistry.start()
  registries.push(registry)
  const open = () => quickClient().client.repository({ registry: registry.host, repository: 'suite/target' })
  return { target: async () => open(), committed: async () => open() }
})
test('the registries of the suite end', async () => {
  for (const registry of registries) await registry[Symbol.asyncDispose]()
})

for (const singlePost of [true, false]) {
  test(`small blobs cost one request each, or two where the registry takes no single POST (${singlePost})`, async () => {
    await using registry = await FakeRegistry.start()
    await using client = quickClient().client
    registry.features.singlePost = singlePost
    const repository = client.repository({ registry: registry.host, repository: 'a' })
    for (let at = 0; at < 5; at++) {
      const bytes = seededBytes(`small ${at}`, 1000)
      const content = contentOf(bytes)
      assert.equal(await repository.has(content), false)
      assert.equal(await repository.write(content, from(bytes)), 'copied')
      assert.ok(registry.blobs.get(`a@${content.digest}`)?.equals(bytes))
    }
    assert.equal(registry.count(/^HEAD/), 5, 'what was just found absent is not asked for again')
    assert.equal(registry.count(/^POST/), 5)
    assert.equal(registry.count(/^PUT/), singlePost ? 0 : 5)
    // The body that the first POST carries in vain is not sent again.
    assert.equal(
      registry.seen.filter(({ method, body }) => method === 'POST' && body.length > 0).length,
      singlePost ? 5 : 1,
    )
  })
}

test('a large blob is streamed in one PATCH of known length, and ended with a PUT', async () => {
  await using registry = await FakeRegistry.start()
  await using client = quickClient().client
  const bytes = seededBytes('large', 3_000_001)
  const content = contentOf(bytes)
  await client.repository({ registry: registry.host, repository: 'a' }).write(content, from(bytes))
  assert.deepEqual(
    registry.seen.map(({ method }) => method),
    ['HEAD', 'POST', 'PATCH', 'PUT'],
  )
  const patch = registry.seen[2]!
  assert.equal(patch.headers['content-length'], '3000001')
  assert.equal(patch.headers['transfer-encoding'], undefined)
  assert.ok(patch.body.equals(bytes))
  assert.match(registry.seen[3]!.url, /state=3000001&digest=sha256%3A/)
})

test('an upload that breaks goes on where the registry says it is', async () => {
  await using registry = await FakeRegistry.start()
  const { client, pauses } = quickClient()
  await using _ = client
  const bytes = seededBytes('broken', 6_000_000)
  const content = contentOf(bytes)
  let breaks = 2
  registry.before = (raw, response) => {
    if (raw.method !== 'PATCH' || breaks === 0) return false
    breaks--
    const [id, held] = [...registry.uploads][0]!
    // Takes 2,000,000 bytes, then the line is cut.
    const parts: Buffer[] = []
    let count = 0
    raw.on('data', (chunk: Buffer) => {
      parts.push(chunk)
      count += chunk.length
      if (count < 2_000_000 || response.destroyed) return
      registry.uploads.set(id, Buffer.concat([held, ...parts]).subarray(0, held.length + 2_000_000))
      response.destroy()
    })
    return true
  }
  const offsets: number[] = []
  await client.repository({ registry: registry.host, repository: 'a' }).write(content, from(bytes, offsets))
  assert.ok(registry.blobs.get(`a@${content.digest}`)?.equals(bytes))
  assert.deepEqual(offsets, [0, 2_000_000, 4_000_000])
  assert.equal(pauses.length, 2)
  assert.equal(
    registry.seen.find(({ method }) => method === 'PATCH')?.headers['content-range'],
    '4000000-5999999',
  )
})

test('an upload that a killed process began is taken up by the next one, through the journal', async () => {
  await using registry = await FakeRegistry.start()
  const folder = await mkdtemp(join(tmpdir(), 'sealift-journal-'))
  try {
    const path = join(folder, 'deep', 'uploads.json')
    const bytes = seededBytes('killed', 6_000_000)
    const content = contentOf(bytes)
    const push = async (offsets: number[], reader = from(bytes, offsets)) => {
      await using client = quickClient({ uploads: fileUploadJournal(path, nodeFileSystem) }).client
      return client.repository({ registry: registry.host, repository: 'a' }).write(content, reader)
    }
    // The first process comes to 2,500,000 bytes; what became of them is the registry's knowledge.
    const dies = async () => {
      throw new Error('killed')
    }
    await assert.rejects(push([], dies), /killed/)
    const [id] = [...registry.uploads.keys()]
    registry.uploads.set(id!, bytes.subarray(0, 2_500_000))
    const offsets: number[] = []
    assert.equal(await push(offsets), 'copied')
    assert.deepEqual(offsets, [2_500_000])
    assert.ok(registry.blobs.get(`a@${content.digest}`)?.equals(bytes))
    const journal = fileUploadJournal(path, nodeFileSystem)
    assert.equal(await journal.get(`${registry.host}/a@${content.digest}`), undefined)

    // A journal that lies: unknown uploads, other hosts, nonsense.
    for (const location of [`http://${registry.host}/v2/a/blobs/uploads/gone`, 'file:///etc/passwd', '::']) {
      registry.blobs.clear()
      await journal.set(`${registry.host}/a@${content.digest}`, location)
      assert.equal(await push([]), 'copied')
    }
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('a journal that is damaged or full does no harm', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-journal-'))
  try {
    const path = join(folder, 'uploads.json')
    const first = fileUploadJournal(path, nodeFileSystem)
    await Promise.all(Array.from({ length: 5 }, (_, at) => first.set(`key ${at}`, `http://x/${at}`)))
    await first.delete('key 3')
    const second = fileUploadJournal(path, nodeFileSystem)
    assert.equal(await second.get('key 4'), 'http://x/4')
    assert.equal(await second.get('key 3'), undefined)
    const file = await nodeFileSystem.open(path, 'update')
    await file.write(Buffer.from('garbage'), 0)
    await file.close()
    const third = fileUploadJournal(path, nodeFileSystem)
    assert.equal(await third.get('key 4'), undefined)
    await third.set('key', 'http://x/new')
    assert.equal(await fileUploadJournal(path, nodeFileSystem).get('key'), 'http://x/new')
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('blobs are mounted from where they are known to be: read, found, pushed, or named by a manifest', async () => {
  await using registry = await FakeRegistry.start()
  await using client = quickClient().client
  const store = new MemoryStore()
  const root = await putImage(store, 'mounted', [1000, 2_000_000])
  const one = client.repository({ registry: registry.host, repository: 'one' })
  const two = client.repository({ registry: registry.host, repository: 'two' })
  const first = await copy(root, store, one, { tags: ['v1'] })
  assert.equal(first.copied.items, 4)
  const second = await copy(root, one, two, { tags: ['v1'] })
  assert.deepEqual([second.mounted.items, second.copied.items], [3, 1])
  assert.equal(registry.count(/^GET \/v2\/one\/blobs/), 0)

  // Another client knows only what the manifest says; and where mounting does nothing, bytes move.
  registry.features.mount = false
  await using other = quickClient().client
  const third = other.repository({ registry: registry.host, repository: 'three' })
  const source = other.repository({ registry: registry.host, repository: 'one' })
  const result = await copy(await source.resolve('v1'), source, third, { tags: ['v1'] })
  assert.deepEqual([result.mounted.items, result.copied.items], [0, 4])
  assert.equal(registry.uploads.size, 0, 'the uploads that mounting left are cancelled')
  assert.ok(registry.seen.some(({ url }) => url.includes('mount=') && url.includes('from=one')))
})

test('when the registry says that a digest is wrong, the one at fault is named', async () => {
  await using registry = await FakeRegistry.start()
  await using client = quickClient().client
  const repository = client.repository({ registry: registry.host, repository: 'a' })
  for (const sizeBytes of [1000, 2_000_000]) {
    const bytes = seededBytes('fault', sizeBytes)
    const wrong = Buffer.from(bytes)
    wrong[500]! ^= 1
    await assert.rejects(repository.write(contentOf(bytes), from(wrong)), { code: 'DIGEST_MISMATCH' })
    registry.intercept = (request, response) =>
      request.url.includes('digest=') && send(response, 400, {}, problem('DIGEST_INVALID'))
    await assert.rejects(repository.write(contentOf(bytes), from(bytes)), { code: 'REGISTRY_DIGEST_REFUSED' })
    registry.intercept = () => false
  }
})

test('what is refused for size is cut into smaller requests', async () => {
  await using registry = await FakeRegistry.start()
  await using client = quickClient().client
  registry.intercept = (request, response) =>
    request.method === 'PATCH' && request.body.length > 17_000_000 && send(response, 413)
  const bytes = seededBytes('cut', 20_000_000)
  const content = contentOf(bytes)
  const repository = client.repository({ registry: registry.host, repository: 'a' })
  await repository.write(content, from(bytes))
  assert.ok(registry.blobs.get(`a@${content.digest}`)?.equals(bytes))
  registry.intercept = (request, response) => request.method === 'PUT' && send(response, 413)
  await assert.rejects(repository.write(contentOf(bytes.subarray(1)), from(bytes.subarray(1))), {
    code: 'REGISTRY_TOO_LARGE',
  })
})

test('an answer that got lost after the last request counts as done where the blob is there', async () => {
  await using registry = await FakeRegistry.start()
  await using client = quickClient().client
  registry.features.singlePost = false
  for (const sizeBytes of [1000, 2_000_000]) {
    const bytes = seededBytes('lost', sizeBytes)
    const content = contentOf(bytes)
    let lost = false
    registry.intercept = (request, response) => {
      if (request.method !== 'PUT' || lost) return false
      lost = true
      const id = /uploads\/([^?]+)/.exec(request.url)![1]!
      registry.uploads.delete(id)
      registry.blobs.set(`a@${content.digest}`, bytes)
      response.destroy()
      return true
    }
    const repository = client.repository({ registry: registry.host, repository: 'a' })
    assert.equal(await repository.write(content, from(bytes)), 'copied')
    assert.equal(lost, true)
  }
})

test('a registry that loses uploads, or never takes them, ends in a failure after the limit', async () => {
  await using registry = await FakeRegistry.start()
  const bytes = seededBytes('endless', 2_000_000)
  for (const status of [404, 416, 429, 500, 503]) {
    const { client, pauses } = quickClient({ limits: { retries: 2 } })
    await using _ = client
    registry.intercept = (request, response) => request.method === 'PATCH' && send(response, status)
    const repository = client.repository({ registry: registry.host, repository: 'a' })
    await assert.rejects(repository.write(contentOf(bytes), from(bytes)), (error: { code: string }) =>
      ['REGISTRY_REFUSED', 'REGISTRY_BUSY', 'REGISTRY_FAILED'].includes(error.code),
    )
    assert.equal(pauses.length, 2, `${status}`)
  }
})

test('a Location on another host is followed without credentials, and never from bad to worse', async () => {
  await using registry = await FakeRegistry.start()
  await using storage = await FakeRegistry.start()
  await using client = quickClient({
    credentials: async () => ({ username: 'user', password: 'secret' }),
  }).client
  registry.intercept = (request, response) => {
    if (request.headers.authorization === undefined) {
      return send(response, 401, { 'www-authenticate': 'Basic realm="x"' })
    }
    if (request.method !== 'POST') return false
    storage.uploads.set('u', Buffer.alloc(0))
    return send(response, 202, { location: `http://${storage.host}/v2/a/blobs/uploads/u` })
  }
  const bytes = seededBytes('elsewhere', 2_000_000)
  await client.repository({ registry: registry.host, repository: 'a' }).write(contentOf(bytes), from(bytes))
  assert.ok(storage.blobs.has(`a@${digestOf(bytes)}`))
  assert.ok(storage.seen.every(({ headers }) => headers.authorization === undefined))
  for (const location of ['file:///tmp/x', 'http://registry.example/upload', 'http://u:p@127.0.0.1/x', '']) {
    registry.intercept = (request, response) =>
      request.method === 'POST' && send(response, 202, location ? { location } : {})
    await assert.rejects(
      client.repository({ registry: registry.host, repository: 'b' }).write(contentOf(bytes), from(bytes)),
      { code: 'REGISTRY_REDIRECT_REFUSED' },
      location,
    )
  }
})

test('a whole index travels, byte for byte, with its tags; the second time nothing moves', async () => {
  await using registry = await FakeRegistry.start()
  const store = new MemoryStore()
  const root = await putIndex(store, 'whole')
  {
    await using client = quickClient().client
    const target = client.repository({ registry: registry.host, repository: 'x/y' })
    await copy(root, store, target, { tags: ['v1', 'latest'] })
    assert.deepEqual(await target.tags(), ['latest', 'v1'])
    assert.deepEqual(await target.tags({ after: 'latest', limit: 5 }), ['v1'])
    assert.deepEqual(await target.resolve('v1'), root)
    assert.equal((await target.find(root.digest))?.mediaType, mediaTypes.ociIndex)
    assert.equal(await target.find(digestOf(Buffer.from('none'))), undefined)
  }
  const writes = registry.count(/^(?:PUT|POST|PATCH)/)
  await using client = quickClient().client
  const target = client.repository({ registry: registry.host, repository: 'x/y' })
  const result = await copy(root, store, target, { tags: ['v1', 'latest'] })
  assert.equal(result.copied.items + result.mounted.items, 0)
  assert.equal(registry.count(/^(?:PUT|POST|PATCH)/), writes)
})

test('a manifest is pushed by tags, and a registry that computes another digest is not believed', async () => {
  await using registry = await FakeRegistry.start()
  await using client = quickClient().client
  const repository = client.repository({ registry: registry.host, repository: 'a' })
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] }),
  )
  const descriptor = { mediaType: mediaTypes.ociIndex, digest: digestOf(bytes), size: bytes.length }
  await repository.pushManifest(descriptor, bytes, ['one', 'two'])
  assert.ok(registry.manifests.get('a:two')?.bytes.equals(bytes))
  await assert.rejects(repository.pushManifest(descriptor, Buffer.from('{}')), { code: 'SIZE_MISMATCH' })
  await assert.rejects(repository.tag(descriptor, 'not a tag'), { code: 'REFERENCE_INVALID' })
  registry.intercept = (request, response) =>
    request.method === 'PUT' && send(response, 201, { 'docker-content-digest': digestOf(Buffer.from('x')) })
  await assert.rejects(repository.tag(descriptor, 'three'), { code: 'DIGEST_MISMATCH' })
})
