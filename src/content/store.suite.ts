import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isFailure } from '#base/index.ts'
import { type Descriptor, digestOf, mediaTypes } from '#oci/index.ts'
import { put, putImage, putJson, seededBytes } from '../../test/support/random-image.ts'
import { copy } from './copy.ts'
import { MemoryStore } from './memory.ts'
import { bytesReader, readVerified } from './readers.ts'
import type { Repositories, Store } from './types.ts'

/** Fresh, empty repositories that can be written to. */
export interface RepositoriesCase extends AsyncDisposable {
  readonly repositories: Repositories & Required<Pick<Repositories, 'create'>>
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}
const digestsOf = async (items: AsyncIterable<Descriptor>) =>
  (await collect(items)).map(({ digest }) => digest).sort()

/** What every Store must do, and the repositories it is one of. */
export function storeTests(name: string, make: () => Promise<RepositoriesCase>): void {
  const cases = (title: string, act: (store: Store, made: RepositoriesCase) => Promise<void>) =>
    test(title, async () => {
      await using made = await make()
      await act(await made.repositories.create('lib/app'), made)
    })
  const bytes = seededBytes('upload', 150_000)
  const appendAll = async (upload: Awaited<ReturnType<Store['beginUpload']>>, from = 0) => {
    for (let at = from; at < bytes.length; at += 40_000) await upload.append(bytes.subarray(at, at + 40_000))
  }

  describe(`${name} as a store`, () => {
    cases('an upload becomes content under the digest that is told at its end', async (store) => {
      for (const algorithm of ['sha256', 'sha384', 'sha512'] as const) {
        await using upload = await store.beginUpload()
        assert.equal(upload.offset, 0)
        await appendAll(upload)
        assert.equal(upload.offset, bytes.length)
        const digest = digestOf(bytes, algorithm)
        assert.equal(await store.find(digest), undefined)
        const content = await upload.finish(digest)
        assert.deepEqual(content, { mediaType: mediaTypes.octets, digest, size: bytes.length })
        assert.deepEqual(await store.find(digest), content)
        assert.ok(bytes.equals(await readVerified(store, content, content.size)))
        assert.equal(await store.upload(upload.id), undefined)
      }
    })

    cases('an upload without a byte, and the same content twice', async (store) => {
      const empty = digestOf(new Uint8Array(0))
      for (let round = 0; round < 2; round++) {
        await using upload = await store.beginUpload()
        assert.equal((await upload.finish(empty)).size, 0)
      }
      assert.equal((await readVerified(store, (await store.find(empty))!, 0)).length, 0)
    })

    cases('an upload that does not have its digest is gone', async (store) => {
      await using upload = await store.beginUpload()
      await appendAll(upload)
      const wrong = digestOf(Buffer.from('something else'))
      await assert.rejects(upload.finish(wrong), { code: 'DIGEST_MISMATCH' })
      assert.equal(await store.find(wrong), undefined)
      assert.equal(await store.upload(upload.id), undefined)
    })

    cases('an upload is taken up by its id, and cancelled', async (store, { repositories }) => {
      const upload = await store.beginUpload()
      await upload.append(bytes.subarray(0, 70_000))
      await upload[Symbol.asyncDispose]()
      const again = (await store.upload(upload.id))!
      assert.equal(again.offset, 70_000)
      await appendAll(again, 70_000)
      await again.finish(digestOf(bytes))
      assert.ok(await store.find(digestOf(bytes)))
      await again[Symbol.asyncDispose]()

      await using second = await store.beginUpload()
      await second.append(bytes)
      assert.equal(await (await repositories.create('lib/other')).upload(second.id), undefined)
      await second.cancel()
      assert.equal(await store.upload(second.id), undefined)
      for (const id of ['', '.', '..', '../../x', 'no-such-upload', `${second.id}/..`]) {
        assert.equal(await store.upload(id), undefined)
      }
    })

    cases('content is mounted from a named neighbour or from any', async (store, { repositories }) => {
      const other = await repositories.create('lib/other')
      const third = await repositories.create('third')
      const content = await put(store, bytes, mediaTypes.octets)
      assert.equal(await other.find(content.digest), undefined, 'a repository does not see its neighbours')
      assert.equal(await other.mount(content.digest, 'third'), false)
      assert.equal(await other.mount(content.digest, 'no/such'), false)
      assert.equal(await other.mount(content.digest, 'lib/app'), true)
      assert.ok(bytes.equals(await readVerified(other, content, content.size)))
      assert.equal(await third.mount(content.digest, undefined), true)
      assert.deepEqual(await third.find(content.digest), content)
      assert.equal(await third.mount(digestOf(Buffer.from('nowhere')), undefined), false)
      await store.delete(content.digest)
      assert.deepEqual(await other.find(content.digest), content)
      assert.ok(bytes.equals(await readVerified(third, content, content.size)))
    })

    cases('tags are listed in byte order, by pages', async (store) => {
      const image = await putImage(store, 'tags', [1])
      const tags = ['v1', 'V1', 'v10', 'v2', '_x', 'a.b-c', '0', 'z'.repeat(128)]
      for (const tag of tags) await store.tag(image, tag)
      const sorted = [...tags].sort()
      assert.deepEqual(await store.tags(), sorted)
      assert.deepEqual(await store.tags({ limit: 3 }), sorted.slice(0, 3))
      assert.deepEqual(await store.tags({ after: sorted[2]!, limit: 2 }), sorted.slice(3, 5))
      assert.deepEqual(await store.tags({ after: 'v11' }), ['v2', 'z'.repeat(128)])
      assert.deepEqual(await store.tags({ limit: 0 }), [])
    })

    cases('a tag moves, and goes, and the manifest stays', async (store) => {
      const one = await putImage(store, 'one', [1])
      const two = await putImage(store, 'two', [1])
      await store.tag(one, 'latest')
      await store.tag(two, 'latest')
      assert.deepEqual(await store.resolve('latest'), two)
      assert.equal(await store.untag('latest'), true)
      assert.equal(await store.untag('latest'), false)
      await assert.rejects(store.resolve('latest'), { code: 'CONTENT_NOT_FOUND' })
      assert.deepEqual(await store.find(two.digest), two)
      const gone = { ...one, digest: digestOf(Buffer.from('gone')) }
      await assert.rejects(store.tag(gone, 'gone'), { code: 'CONTENT_NOT_FOUND' })
    })

    cases('a manifest goes with its tags, a blob goes alone', async (store) => {
      const one = await putImage(store, 'one', [1])
      const two = await putImage(store, 'two', [1])
      await store.tag(one, 'a')
      await store.tag(one, 'b')
      await store.tag(two, 'c')
      assert.equal(await store.delete(one.digest), true)
      assert.equal(await store.delete(one.digest), false)
      assert.deepEqual(await store.tags(), ['c'])
      assert.equal(await store.find(one.digest), undefined)
      await assert.rejects(store.open(one), { code: 'CONTENT_NOT_FOUND' })
      const blob = await put(store, bytes, mediaTypes.octets)
      assert.equal(await store.delete(blob.digest), true)
      assert.equal(await store.find(blob.digest), undefined)
      await put(store, bytes, mediaTypes.octets)
      assert.deepEqual(await store.find(blob.digest), blob)
    })

    cases('referrers, also before their subject is there, and by type', async (store) => {
      const elsewhere = new MemoryStore()
      const subject = await putImage(elsewhere, 'subject', [5])
      const signature = await putImage(store, 'signature', [1], { subject, artifactType: 'x/signature' })
      const sbom = await putImage(store, 'sbom', [2], { subject, annotations: { made: 'here' } })
      const both = [signature.digest, sbom.digest].sort()
      assert.deepEqual(await digestsOf(store.referrers(subject.digest)), both)
      await copy(subject, elsewhere, store)
      assert.deepEqual(await digestsOf(store.referrers(subject.digest)), both)
      const typed = await collect(store.referrers(subject.digest, 'x/signature'))
      assert.deepEqual(typed, [{ ...signature, artifactType: 'x/signature' }])
      const [fallback] = await collect(store.referrers(subject.digest, mediaTypes.ociConfig))
      assert.deepEqual(fallback, {
        ...sbom,
        artifactType: mediaTypes.ociConfig,
        annotations: { made: 'here' },
      })
      await store.delete(signature.digest)
      assert.deepEqual(await digestsOf(store.referrers(subject.digest)), [sbom.digest])
      assert.deepEqual(await digestsOf(store.referrers(signature.digest)), [])
    })

    cases('the same bytes pushed as blob and as manifest are both', async (store) => {
      const elsewhere = new MemoryStore()
      const manifest = await putImage(elsewhere, 'two doors', [5])
      const body = await readVerified(elsewhere, manifest, manifest.size)
      const pushAsBlob = async () => {
        await using upload = await store.beginUpload()
        await upload.append(body)
        await upload.finish(manifest.digest)
      }
      await pushAsBlob()
      assert.equal(await store.has(manifest), false)
      await store.write(manifest, async () => bytesReader(body))
      await store.tag(manifest, 'x')
      assert.deepEqual(await store.resolve('x'), manifest)
      await pushAsBlob()
      assert.deepEqual(await store.find(manifest.digest), manifest)
    })

    cases('a manifest that is none is refused', async (store) => {
      const bad = Buffer.from('{"schemaVersion":2,"layers":7}')
      await assert.rejects(put(store, bad, mediaTypes.ociManifest), (error) => isFailure(error))
      assert.equal(await store.find(digestOf(bad)), undefined)
    })

    cases('repositories are listed, and nobody else is there', async (store, { repositories }) => {
      await putImage(store, 'names', [1])
      for (const other of ['lib', 'lib/app/deep', 'a', 'zz/top'])
        await putImage(await repositories.create(other), other, [1])
      const names = ['a', 'lib', 'lib/app', 'lib/app/deep', 'zz/top']
      assert.deepEqual(await repositories.names(), names)
      assert.deepEqual(await repositories.names({ after: 'a', limit: 2 }), names.slice(1, 3))
      assert.equal(await repositories.repository('lib/app/de'), undefined)
      assert.equal(await repositories.repository('zz'), undefined)
      const found = await repositories.repository('lib/app')
      assert.ok(found)
      for (const name of ['..', '../x', '/etc', 'a//b', 'A', 'a/../b', 'a/_tags', '_x', '', '.', 'a/']) {
        assert.equal(await repositories.repository(name), undefined, name)
      }
    })

    cases('an index with absent children is taken', async (store) => {
      const gone = { mediaType: mediaTypes.ociManifest, digest: digestOf(Buffer.from('absent')), size: 6 }
      const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [gone] }
      const content = await putJson(store, index as never)
      assert.deepEqual(await store.resolve(content.digest), content)
    })
  })
}
