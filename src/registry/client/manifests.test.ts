import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '#base/index.ts'
import { copy, MemoryStore, readVerified } from '#content/index.ts'
import { digestOf, mediaTypes } from '#oci/index.ts'
import { FakeRegistry, problem, send } from '../../../test/support/fake-registry.ts'
import { putImage } from '../../../test/support/random-image.ts'
import { quickClient } from '../../../test/support/registry-client.ts'

const image = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] }

test('a tag is resolved by HEAD, and by GET where the answer to HEAD tells too little', async () => {
  await using registry = await FakeRegistry.start()
  await using client = quickClient().client
  const content = registry.addManifest('a', image, 'v1')
  const repository = client.repository({ registry: registry.host, repository: 'a' })
  assert.deepEqual(await repository.resolve('v1'), content)
  assert.equal(registry.count(/^GET/), 0)
  assert.match(
    registry.seen[0]?.headers.accept ?? '',
    /oci\.image\.index.*docker\.distribution\.manifest\.v2/,
  )
  for (const headers of [{}, { 'docker-content-digest': 'nonsense' }, { 'content-type': 'text/plain' }]) {
    registry.intercept = (request, response) => request.method === 'HEAD' && send(response, 200, headers)
    assert.deepEqual(await repository.resolve('v1'), content)
  }
  registry.intercept = (request, response) => request.method === 'HEAD' && send(response, 405)
  assert.deepEqual(await repository.resolve('v1'), content)
  await assert.rejects(repository.resolve('v2'), { code: 'CONTENT_NOT_FOUND' })
  await assert.rejects(repository.resolve('no tag'), { code: 'REFERENCE_INVALID' })
})

test('a manifest that is not what it should be is told as such', async () => {
  await using registry = await FakeRegistry.start()
  const content = registry.addManifest('a', image)
  const other = Buffer.from(JSON.stringify({ ...image, annotations: {} }))
  const type = { 'content-type': mediaTypes.ociIndex }
  const good = JSON.stringify(image)
  const answers: [string, () => [number, Record<string, string>, string | Uint8Array]][] = [
    ['DIGEST_MISMATCH', () => [200, type, other]],
    ['DIGEST_MISMATCH', () => [200, { ...type, 'docker-content-digest': digestOf(other) }, good]],
    ['DIGEST_MISMATCH', () => [200, { ...type, 'docker-content-digest': digestOf(other, 'sha512') }, good]],
    ['REGISTRY_ANSWER_INVALID', () => [200, type, Buffer.alloc(limits.manifestBytes + 1)]],
    ['CONTENT_NOT_FOUND', () => [404, {}, '']],
    ['REGISTRY_FORBIDDEN', () => [403, {}, '']],
    ['REGISTRY_REFUSED', () => [418, {}, '']],
    ['REGISTRY_FAILED', () => [500, {}, '']],
    ['REGISTRY_ANSWER_INVALID', () => [206, type, good]],
  ]
  for (const [code, answer] of answers) {
    await using client = quickClient().client
    registry.intercept = (_request, response) => send(response, ...answer())
    const repository = client.repository({ registry: registry.host, repository: 'a' })
    await assert.rejects(repository.open(content), { code }, code)
  }
  registry.intercept = () => false
  await using client = quickClient().client
  const repository = client.repository({ registry: registry.host, repository: 'a' })
  await assert.rejects(repository.open({ ...content, size: content.size + 1 }), { code: 'SIZE_MISMATCH' })
  await assert.rejects(repository.has({ ...content, size: content.size + 1 }), { code: 'SIZE_MISMATCH' })
})

test('what a registry says is quoted, in bounds and without control characters', async () => {
  await using registry = await FakeRegistry.start()
  await using client = quickClient().client
  const evil = `no\u001b[31m\u202e\n${'x'.repeat(5000)}`
  registry.intercept = (_request, response) => send(response, 418, {}, problem('TEAPOT\u0007', evil))
  const repository = client.repository({ registry: registry.host, repository: 'a' })
  const content = { mediaType: mediaTypes.octets, digest: digestOf(Buffer.from('x')), size: 1 }
  await assert.rejects(repository.open(content), ({ code, message }: { code: string; message: string }) => {
    assert.equal(code, 'REGISTRY_REFUSED')
    assert.ok(message.includes(registry.host) && message.includes('TEAPOT') && message.length < 600)
    assert.doesNotMatch(message, /\p{C}/u)
    return true
  })
})

test('tags come from all pages, in order, and endless or foreign pages are refused', async () => {
  await using registry = await FakeRegistry.start()
  await using client = quickClient({ limits: { pages: 4 } }).client
  const repository = client.repository({ registry: registry.host, repository: 'a' })
  const page = (tags: unknown, link?: string) => (request: { url: string }) => ({
    body: JSON.stringify({ name: 'a', tags }),
    link: link?.replace('%', request.url),
  })
  const serve = (make: (request: { url: string }) => { body: string; link: string | undefined }) => {
    registry.intercept = (request, response) => {
      const { body, link } = make(request)
      return send(response, 200, link === undefined ? {} : { link: `<${link}>; rel="next"` }, body)
    }
  }
  serve((request) =>
    request.url.includes('last=c')
      ? page(['a', 'b'])(request)
      : page(['d', 'c'], '/v2/a/tags/list?last=c')(request),
  )
  assert.deepEqual(await repository.tags(), ['a', 'b', 'c', 'd'])
  assert.deepEqual(await repository.tags({ after: 'a', limit: 2 }), ['b', 'c'])
  serve(page(null))
  assert.deepEqual(await repository.tags(), [])
  registry.intercept = (_request, response) => send(response, 404, {}, problem('NAME_UNKNOWN'))
  assert.deepEqual(await repository.tags(), [])
  let count = 0
  serve((request) => page(['a'], `/v2/a/tags/list?page=${++count}`)(request))
  await assert.rejects(repository.tags(), { code: 'REGISTRY_ANSWER_INVALID' })
  assert.equal(count, 4)
  serve(page(['a'], '/v2/a/tags/list?same'))
  await assert.rejects(repository.tags(), { code: 'REGISTRY_ANSWER_INVALID' })
  serve(page(['a'], 'https://elsewhere.example/v2/a/tags/list'))
  await assert.rejects(repository.tags(), { code: 'REGISTRY_REDIRECT_REFUSED' })
  for (const garbage of [
    '',
    '[',
    '[]',
    '{"tags":"x"}',
    '{"tags":[1]}',
    '{"tags":[],"tags":[]}',
    '[['.repeat(200),
  ]) {
    registry.intercept = (_request, response) => send(response, 200, {}, garbage)
    await assert.rejects(repository.tags(), { code: 'REGISTRY_ANSWER_INVALID' }, garbage)
  }
})

for (const api of [true, false]) {
  test(`referrers are written and read ${api ? 'through the API' : "through the subject's tag"}`, async () => {
    await using registry = await FakeRegistry.start()
    await using client = quickClient().client
    registry.features.referrers = api
    const store = new MemoryStore()
    const root = await putImage(store, 'subject', [1000])
    const types = ['application/x.one', 'application/x.two']
    for (const artifactType of types) {
      await putImage(store, artifactType, [10], { subject: root, artifactType })
    }
    const target = client.repository({ registry: registry.host, repository: 'a' })
    const result = await copy(root, store, target, { tags: ['v1'] })
    assert.equal(result.companions, 2)
    const list = async (artifactType?: string) =>
      (await Array.fromAsync(target.referrers(root.digest, artifactType)))
        .map((found) => found.artifactType)
        .sort()
    assert.deepEqual(await list(), types)
    assert.deepEqual(await list(types[1]), [types[1]])
    const tag = root.digest.replace(':', '-')
    assert.equal(registry.manifests.has(`a:${tag}`), !api)
    assert.equal(
      await Array.fromAsync(target.referrers(digestOf(Buffer.from('none')))).then((all) => all.length),
      0,
    )

    // All of it comes back out as well.
    const back = new MemoryStore()
    assert.equal((await copy(await target.resolve('v1'), target, back)).companions, 2)
  })
}

test("others' entries under the subject's tag are kept as they are, and a lost update is made good", async () => {
  await using registry = await FakeRegistry.start()
  await using client = quickClient().client
  registry.features.referrers = false
  const store = new MemoryStore()
  const root = await putImage(store, 'subject', [10])
  const theirs = {
    mediaType: mediaTypes.ociManifest,
    digest: digestOf(Buffer.from('theirs')),
    size: 5,
    'x-own': [1],
  }
  const tag = root.digest.replace(':', '-')
  registry.addManifest('a', { ...image, annotations: { kept: 'yes' }, manifests: [theirs] }, tag)
  let lost = false
  registry.intercept = (request, response) => {
    // Somebody else's put comes right after ours, the first time.
    if (request.method !== 'PUT' || !request.url.endsWith(tag) || lost) return false
    lost = true
    return send(response, 201)
  }
  const target = client.repository({ registry: registry.host, repository: 'a' })
  const mine = await putImage(store, 'mine', [10], { subject: root, artifactType: 'application/x.mine' })
  await copy(root, store, target)
  const held = JSON.parse(registry.manifests.get(`a:${tag}`)!.bytes.toString())
  assert.deepEqual(held.manifests[0], theirs)
  assert.equal(held.manifests[1].digest, mine.digest)
  assert.equal(held.manifests.length, 2)
  assert.deepEqual(held.annotations, { kept: 'yes' })
  assert.equal(lost, true)

  registry.intercept = (request, response) =>
    request.method === 'PUT' && request.url.endsWith(tag) && send(response, 201)
  const more = await putImage(store, 'more', [10], { subject: root })
  await assert.rejects(copy(more, store, target), { code: 'REGISTRY_REFERRERS_CONFLICT' })
  registry.intercept = () => false
  registry.addManifest(
    'a',
    { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: theirs, layers: [] },
    tag,
  )
  const yetMore = await putImage(store, 'yet more', [10], { subject: root })
  await assert.rejects(copy(yetMore, store, target), { code: 'REGISTRY_REFERRERS_CONFLICT' })
})

test('a referrer that was pushed but not yet listed when the process died is listed by the next copy', async () => {
  await using registry = await FakeRegistry.start()
  registry.features.referrers = false
  const store = new MemoryStore()
  const root = await putImage(store, 'subject', [10])
  const mine = await putImage(store, 'mine', [10], { subject: root })
  const tag = root.digest.replace(':', '-')
  for (const round of [1, 2]) {
    await using client = quickClient().client
    await copy(root, store, client.repository({ registry: registry.host, repository: 'a' }))
    const held = JSON.parse(registry.manifests.get(`a:${tag}`)!.bytes.toString())
    assert.deepEqual(
      held.manifests.map(({ digest }: { digest: string }) => digest),
      [mine.digest],
      `${round}`,
    )
    registry.manifests.delete(`a:${tag}`)
  }
})

test('whether a sparse index is taken is found out, and told exactly', async () => {
  await using registry = await FakeRegistry.start()
  await using client = quickClient().client
  const repository = client.repository({ registry: registry.host, repository: 'a' })
  const probe = () => repository.supportsSparseIndex()
  const taken = await probe()
  assert.equal(taken.supported, true)
  assert.equal(taken.done.length, 2)
  assert.match(taken.done[1]!, /^Deleted .*@sha256:/)
  assert.equal(registry.manifests.size, 0)

  registry.features.delete = false
  const left = await probe()
  assert.equal(left.supported, true)
  assert.ok(registry.manifests.has(`a@${left.left}`))
  assert.match(left.done[1]!, /it stays/)
  assert.match((await probe()).done[0]!, /^Found /)

  registry.manifests.clear()
  registry.features.sparse = false
  const refused = await probe()
  assert.equal(refused.supported, false)
  assert.match(refused.done[0]!, /MANIFEST_BLOB_UNKNOWN/)
  const absent = [{ mediaType: mediaTypes.ociManifest, digest: digestOf(Buffer.from('absent')), size: 6 }]
  const plan = { contents: [], taggings: [], roots: [] }
  await assert.rejects(repository.prepare({ ...plan, absent }), { code: 'REGISTRY_SPARSE_REFUSED' })
  await repository.prepare(plan)
  registry.intercept = (request, response) => request.url === '/v2/' && send(response, 404, {}, '<html>')
  await assert.rejects(repository.prepare(plan), { code: 'REGISTRY_REFUSED' })
})

test('mirrors are asked in their order for what is read, and never written to', async () => {
  await using registry = await FakeRegistry.start()
  await using broken = await FakeRegistry.start()
  await using mirror = await FakeRegistry.start()
  broken.intercept = (_request, response) => send(response, 418)
  const mirrors = new Map([[registry.host, [`http://${broken.host}`, `http://${mirror.host}/some/prefix/`]]])
  await using client = quickClient({ mirrors }).client
  const store = new MemoryStore()
  const root = await putImage(store, 'mirrored', [1000, 2_000_000])
  const repository = client.repository({ registry: registry.host, repository: 'a' })
  await copy(root, store, repository, { tags: ['v1'] })
  assert.equal(mirror.count(/^(?:PUT|POST|PATCH)/) + broken.count(/^(?:PUT|POST|PATCH)/), 0)
  for (const [key, bytes] of registry.blobs) mirror.blobs.set(`some/prefix/${key}`, bytes)
  for (const [key, held] of registry.manifests) mirror.manifests.set(`some/prefix/${key}`, held)
  registry.seen.length = 0
  await using fresh = quickClient({ mirrors }).client
  const source = fresh.repository({ registry: registry.host, repository: 'a' })
  const found = await source.resolve('v1')
  await readVerified(source, found, found.size)
  await copy(found, source, new MemoryStore())
  assert.equal(registry.count(/blobs\/|manifests\/sha256:/), 0)
  assert.ok(broken.seen.length > 0)

  // What the mirrors lack comes from the registry itself.
  mirror.blobs.clear()
  mirror.manifests.clear()
  await copy(found, fresh.repository({ registry: registry.host, repository: 'a' }), new MemoryStore())
  assert.throws(
    () =>
      quickClient({ mirrors: new Map([['x', ['ftp://y']]]) }).client.repository({
        registry: 'x',
        repository: 'a',
      }),
    { code: 'REGISTRY_UNREACHABLE' },
  )
})

test('warnings are passed on once each, cleaned', async () => {
  await using registry = await FakeRegistry.start()
  const heard: string[] = []
  await using client = quickClient({ onWarning: (from, text) => heard.push(`${from} ${text}`) }).client
  registry.intercept = (_request, response) => {
    response.setHeader('warning', [
      '299 - "moving \\"soon\\""',
      '199 - "no"',
      '299 other "no"',
      '299 - "a\tb"',
    ])
    return false
  }
  const repository = client.repository({ registry: registry.host, repository: 'a' })
  await repository.tags()
  await repository.tags()
  assert.deepEqual(heard, [`${registry.host} moving "soon"`, `${registry.host} a b`])
})
