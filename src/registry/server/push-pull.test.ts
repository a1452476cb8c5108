import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { digestOf, mediaTypes } from '#oci/index.ts'
import { codeOf, manifestOf, type Started, start, stored } from './server.suite.ts'

async function beginUpload({ url }: Started, name = 'a/b'): Promise<string> {
  const reply = await fetch(`${url}/v2/${name}/blobs/uploads/`, { method: 'POST' })
  assert.equal(reply.status, 202)
  return url + reply.headers.get('location')
}

const api = 'docker-distribution-api-version'

test('a blob pushed in each way is pulled back, by digests of each algorithm', async () => {
  await using started = await start()
  const { url } = started
  for (const algorithm of ['sha256', 'sha384', 'sha512'] as const) {
    const bytes = randomBytes(3_000_000)
    const digest = digestOf(bytes, algorithm)
    const whole = await fetch(`${url}/v2/a/post/blobs/uploads/?digest=${digest}`, {
      method: 'POST',
      body: bytes,
    })
    assert.equal(whole.status, 201)
    const location = await beginUpload(started, 'a/stream')
    const stream = await fetch(location, {
      method: 'PATCH',
      body: new Blob([bytes]).stream(),
      duplex: 'half',
    } as RequestInit)
    assert.equal(stream.status, 202)
    assert.equal(stream.headers.get('range'), `0-${bytes.length - 1}`)
    const closed = await fetch(`${location}?digest=${digest}`, { method: 'PUT' })
    assert.equal(closed.status, 201)
    assert.equal(closed.headers.get('docker-content-digest'), digest)
    for (const path of [whole.headers.get('location'), closed.headers.get('location')]) {
      const pulled = await fetch(url + path)
      assert.equal(pulled.headers.get(api), 'registry/2.0')
      assert.equal(pulled.headers.get('docker-content-digest'), digest)
      assert.deepEqual(Buffer.from(await pulled.arrayBuffer()), bytes)
    }
  }
})

test('chunks: out of order is refused and the upload survives; the offset is told; a wrong digest ends it', async () => {
  await using started = await start()
  const location = await beginUpload(started)
  const patch = (range: string, text: string) =>
    fetch(location, { method: 'PATCH', body: text, headers: { 'Content-Range': range } })
  assert.equal((await patch('0-3', 'abcd')).status, 202)
  const early = await patch('6-7', 'gh')
  assert.equal(early.status, 416)
  assert.equal(early.headers.get('range'), '0-3')
  assert.equal(await codeOf(early), 'BLOB_UPLOAD_INVALID')
  const lying = await patch('4-9', 'ef')
  assert.equal(lying.status, 400)
  assert.equal(await codeOf(lying), 'SIZE_INVALID')
  assert.equal((await patch('x', 'ef')).status, 400)
  const status = await fetch(location)
  assert.equal(status.status, 204)
  assert.equal(status.headers.get('range'), '0-3')
  const wrong = await fetch(`${location}?digest=${digestOf(Buffer.from('other'))}`, {
    method: 'PUT',
    body: 'ef',
  })
  assert.equal(wrong.status, 400)
  assert.equal(await codeOf(wrong), 'DIGEST_INVALID')
  assert.equal((await fetch(location)).status, 404)
})

test('an upload is cancelled, unknown to other repositories, and never found by a made-up id', async () => {
  await using started = await start()
  const location = await beginUpload(started)
  const elsewhere = location.replace('/a/b/', '/c/d/')
  await beginUpload(started, 'c/d')
  assert.equal(await codeOf(await fetch(elsewhere)), 'BLOB_UPLOAD_UNKNOWN')
  assert.equal((await fetch(location, { method: 'DELETE' })).status, 204)
  assert.equal((await fetch(location, { method: 'DELETE' })).status, 404)
  for (const id of ['x'.repeat(129), '%2e%2e%2fx', 'a.b']) {
    const reply = await fetch(`${started.url}/v2/a/b/blobs/uploads/${id}`, { method: 'PATCH', body: 'x' })
    assert.ok([400, 404].includes(reply.status), id)
  }
  assert.equal((await fetch(location.replace('/a/b/', '/never/made/'))).status, 404)
})

test('mounts: from a named neighbour, from any, and not from where it is not', async () => {
  await using started = await start()
  const { digest } = await stored(started.repositories, 'from/here', Buffer.from('layer'))
  const mount = (query: string) =>
    fetch(`${started.url}/v2/to/here/blobs/uploads/?${query}`, { method: 'POST' })
  assert.equal((await mount(`mount=${digest}&from=not/here`)).status, 202)
  assert.equal((await mount(`mount=${digest}&from=../x`)).status, 202)
  assert.equal((await mount('mount=x')).status, 202)
  const mounted = await mount(`mount=${digest}&from=from/here`)
  assert.equal(mounted.status, 201)
  assert.equal(await (await fetch(started.url + mounted.headers.get('location'))).text(), 'layer')
  assert.equal((await mount(`mount=${digest}`)).status, 201)
})

test('a manifest is kept byte by byte under all its tags, its media type as pushed', async () => {
  await using started = await start()
  const config = await stored(started.repositories, 'a/b', Buffer.from('{}'))
  const docker = { mediaType: mediaTypes.dockerManifest }
  for (const [bytes, type] of [
    [manifestOf(config, { 'x-unknown': 'ü' }), mediaTypes.ociManifest],
    [Buffer.concat([manifestOf(config, docker), Buffer.from('\n \n')]), mediaTypes.dockerManifest],
  ] as const) {
    const digest = digestOf(bytes)
    const pushed = await fetch(`${started.url}/v2/a/b/manifests/${digest}?tag=one&tag=two`, {
      method: 'PUT',
      body: bytes,
      headers: { 'Content-Type': `${type}; charset=utf-8` },
    })
    assert.equal(pushed.status, 201)
    assert.equal(pushed.headers.get('oci-tag'), 'one, two')
    for (const reference of ['one', 'two', digest]) {
      const pulled = await fetch(`${started.url}/v2/a/b/manifests/${reference}`, {
        headers: { Accept: 'application/vnd.docker.distribution.manifest.v1+json' },
      })
      assert.equal(pulled.headers.get('content-type'), type)
      assert.equal(pulled.headers.get('docker-content-digest'), digest)
      assert.deepEqual(Buffer.from(await pulled.arrayBuffer()), bytes)
    }
    const etag = (await fetch(`${started.url}/v2/a/b/manifests/one`, { method: 'HEAD' })).headers.get('etag')
    const again = await fetch(`${started.url}/v2/a/b/manifests/one`, { headers: { 'If-None-Match': etag! } })
    assert.equal(again.status, 304)
  }
})

test('manifests that are refused, each with its code', async () => {
  await using started = await start({ sparse: 'none' })
  const config = await stored(started.repositories, 'a/b', Buffer.from('{}'))
  const absent = { ...config, digest: digestOf(Buffer.from('absent')) }
  const good = manifestOf(config)
  const index = { mediaType: mediaTypes.ociIndex, config: undefined, layers: undefined }
  const cases: readonly (readonly [string, Uint8Array, string, number, string])[] = [
    ['tag', Buffer.from('{'), mediaTypes.ociManifest, 400, 'MANIFEST_INVALID'],
    ['tag', new Uint8Array(0), mediaTypes.ociManifest, 400, 'MANIFEST_INVALID'],
    ['tag', good, mediaTypes.ociIndex, 400, 'MANIFEST_INVALID'],
    ['tag', good, 'text/html', 400, 'MANIFEST_INVALID'],
    ['.bad', good, mediaTypes.ociManifest, 400, 'MANIFEST_INVALID'],
    ['sha256:abc', good, mediaTypes.ociManifest, 400, 'DIGEST_INVALID'],
    [absent.digest, good, mediaTypes.ociManifest, 400, 'DIGEST_INVALID'],
    ['tag', manifestOf(absent), mediaTypes.ociManifest, 404, 'MANIFEST_BLOB_UNKNOWN'],
    [
      'tag',
      manifestOf(config, { ...index, manifests: [absent] }),
      mediaTypes.ociIndex,
      404,
      'MANIFEST_BLOB_UNKNOWN',
    ],
  ]
  for (const [reference, body, type, status, code] of cases) {
    const reply = await fetch(`${started.url}/v2/a/b/manifests/${reference}`, {
      method: 'PUT',
      body: Buffer.from(body),
      headers: { 'Content-Type': type },
    })
    assert.equal(reply.status, status, `${reference} ${type}`)
    assert.equal(await codeOf(reply), code)
  }
  assert.equal((await fetch(`${started.url}/v2/a/b/manifests/tag`)).status, 404)
})

test('absent contents are taken as far as the server is told to, and warned of', async () => {
  const config = { mediaType: mediaTypes.ociConfig, digest: digestOf(Buffer.from('x')), size: 1 }
  const image = manifestOf(config)
  const index = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [{ ...config, mediaType: mediaTypes.ociManifest }],
    }),
  )
  const foreign = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip'
  for (const [sparse, takesIndex, takesImage] of [
    ['none', 404, 404],
    ['indexes', 201, 404],
    ['manifests', 201, 201],
  ] as const) {
    await using started = await start({ sparse })
    const put = (body: Buffer) => fetch(`${started.url}/v2/a/manifests/t`, { method: 'PUT', body })
    const pushedIndex = await put(index)
    assert.equal(pushedIndex.status, takesIndex)
    if (takesIndex === 201)
      assert.match(pushedIndex.headers.get('warning') ?? '', /^299 - "1 of the contents/)
    assert.equal((await put(image)).status, takesImage)
    const here = await stored(started.repositories, 'a', Buffer.from('{}'))
    const elsewhere = manifestOf(here, {
      layers: [{ ...config, mediaType: foreign }],
      subject: { ...config, mediaType: mediaTypes.ociManifest },
    })
    const pushed = await put(elsewhere)
    assert.equal(pushed.status, 201)
    assert.equal(pushed.headers.get('oci-subject'), config.digest)
    assert.equal(pushed.headers.get('warning'), null)
  }
})

test('deletes: a tag alone, a manifest with its tags, a blob; nothing by the wrong door', async () => {
  await using started = await start()
  const config = await stored(started.repositories, 'a', Buffer.from('{}'))
  const bytes = manifestOf(config)
  const digest = digestOf(bytes)
  await fetch(`${started.url}/v2/a/manifests/${digest}?tag=one&tag=two`, { method: 'PUT', body: bytes })
  const at = (path: string, method = 'DELETE') => fetch(`${started.url}/v2/a/${path}`, { method })
  assert.equal((await at(`manifests/${config.digest}`)).status, 404)
  assert.equal((await at(`blobs/${digest}`)).status, 405)
  assert.equal((await at('manifests/one')).status, 202)
  assert.equal((await at('manifests/one', 'HEAD')).status, 404)
  assert.equal((await at('manifests/two', 'HEAD')).status, 200)
  assert.equal((await at(`manifests/${digest}`)).status, 202)
  assert.equal((await at('manifests/two', 'HEAD')).status, 404)
  assert.equal((await at(`blobs/${config.digest}`)).status, 202)
  assert.equal((await at(`blobs/${config.digest}`)).status, 404)
  assert.equal(await codeOf(await at('manifests/two')), 'MANIFEST_UNKNOWN')
  assert.equal(await codeOf(await fetch(`${started.url}/v2/none/tags/list`)), 'NAME_UNKNOWN')
})

test('a read-only registry serves, and refuses to be written to', async () => {
  const full = await start()
  const config = await stored(full.repositories, 'a', Buffer.from('{}'))
  await full[Symbol.asyncDispose]()
  const { repositories } = full
  await using started = await start({
    repositories: {
      repository: (name) => repositories.repository(name),
      names: (page) => repositories.names(page),
    },
  })
  const at = (path: string, method: string) => fetch(`${started.url}/v2/a/${path}`, { method })
  assert.equal((await at(`blobs/${config.digest}`, 'GET')).status, 200)
  for (const [path, method] of [
    ['blobs/uploads/', 'POST'],
    [`blobs/${config.digest}`, 'DELETE'],
    ['manifests/x', 'PUT'],
    ['manifests/x', 'DELETE'],
    ['blobs/uploads/x', 'PATCH'],
    ['tags/list', 'POST'],
  ] as const) {
    const reply = await at(path, method)
    assert.equal(reply.status, 405, `${method} ${path}`)
    assert.match(reply.headers.get('allow') ?? '', /^GET, HEAD$/)
    assert.equal(await codeOf(reply), 'UNSUPPORTED')
  }
})
