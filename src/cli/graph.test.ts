import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isFailure } from '#base/index.ts'
import { legacyTag, MemoryRepositories } from '#content/index.ts'
import { type Descriptor, digestOf, mediaTypes } from '#oci/index.ts'
import { put, putImage, putIndex, putJson } from '../../test/support/random-image.ts'
import { branches, describeGraph, kindOf, summarize } from './graph.ts'
import { draw } from './run/tree.ts'

const empty = () => new MemoryRepositories().create('a/b')

describe('describing a graph', () => {
  test('shows proofs below what they prove, also legacy ones and proofs of proofs', async () => {
    const store = await empty()
    const image = await putImage(store, 'x', [10])
    const config = await put(store, Buffer.from('{}'), mediaTypes.empty)
    const proof = (subject: Descriptor, artifactType: string) =>
      putJson(store, {
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        artifactType,
        config,
        layers: [],
        subject,
      } as never)
    const sbom = await proof(image, 'application/vnd.example.sbom')
    await proof(sbom, 'application/vnd.example.signature')
    const legacy = await putImage(store, 'signature', [5])
    await store.tag(legacy, legacyTag(image.digest, 'sig'))
    const tree = await describeGraph(image, store)
    assert.deepEqual(
      tree.referrers.map((branch) => [branch.role, kindOf(branch)]),
      [
        ['referrer', 'application/vnd.example.sbom'],
        ['signature', 'signature'],
      ],
    )
    assert.equal(tree.referrers[0]?.referrers[0]?.artifactType, 'application/vnd.example.signature')
    assert.equal(summarize(tree).referrers, 3)
    assert.equal(tree.platform, 'linux/amd64')
    const without = await describeGraph(image, store, { referrers: false })
    assert.deepEqual(without.referrers, [])
  })

  test('marks what is absent, and counts what is there once', async () => {
    const store = await empty()
    const index = await putIndex(store, 'x')
    const whole = summarize(await describeGraph(index, store))
    assert.deepEqual(whole.platforms, ['linux/amd64', 'linux/arm64'])
    assert.deepEqual(whole.absent, [])
    const tree = await describeGraph(index, store)
    const [, arm64] = tree.children
    await store.delete(arm64!.digest)
    const sparse = await describeGraph(index, store)
    assert.deepEqual(summarize(sparse).absent, [arm64!.digest])
    assert.deepEqual(summarize(sparse).platforms, ['linux/amd64'])
    assert.match(draw(sparse, '', '').join('\n'), new RegExp(`${arm64!.digest}.*\\(absent\\)`))
  })

  test('does not grow beyond its graph: what was shown is not shown again', async () => {
    const store = await empty()
    let root = await putImage(store, 'leaf', [1])
    for (let depth = 0; depth < 10; depth++) {
      const manifests = [root, root, root]
      root = await putJson(store, { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests } as never)
    }
    const all = [...branches(await describeGraph(root, store))]
    assert.equal(all.length, 1 + 10 * 3 + 2)
    assert.equal(all.filter(({ repeated }) => repeated).length, 20)
  })

  test('a root that is not there is a failure, not an absence', async () => {
    const content = { mediaType: mediaTypes.ociManifest, digest: digestOf(Buffer.from('x')), size: 1 }
    await assert.rejects(describeGraph(content, await empty()), (error) =>
      isFailure(error, 'CONTENT_NOT_FOUND'),
    )
  })
})
