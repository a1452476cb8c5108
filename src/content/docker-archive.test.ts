import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Descriptor, digestOf } from '#oci/index.ts'
import { dockerSave } from '../../test/support/docker-save.ts'
import { layoutMembers } from '../../test/support/layout-members.ts'
import { copy } from './copy.ts'
import { openDockerArchive } from './docker-archive.ts'
import { MemoryStore } from './memory.ts'
import type { BundleContainer } from './oci-archive.ts'
import { readVerified } from './readers.ts'
import { verify } from './verify.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealift-docker-'))
})
after(() => rm(folder, { recursive: true }))

let counter = 0
async function written(bytes: Uint8Array): Promise<string> {
  const path = join(folder, `d${counter++}.tar`)
  await writeFile(path, bytes)
  return path
}

async function using<T>(opening: Promise<BundleContainer>, act: (container: BundleContainer) => Promise<T>) {
  const container = await opening
  try {
    return await act(container)
  } finally {
    await container.close()
  }
}

test('an old docker-archive becomes OCI images, its layers compressed or not', async () => {
  for (const gzip of [false, true]) {
    const { bytes, diffIds, config } = dockerSave({ gzip })
    await using(openDockerArchive(await written(bytes)), async (container) => {
      assert.deepEqual((await verify(container)).problems, [])
      const root = await container.source.resolve('app:1.0')
      assert.deepEqual(await container.source.resolve('a.example/app:2'), root)
      const manifest = JSON.parse(Buffer.from(await readVerified(container.source, root, 10_000)).toString())
      assert.equal(manifest.config.digest, digestOf(config))
      assert.equal(manifest.layers.length, 3)
      assert.deepEqual(manifest.layers[0], manifest.layers[2])
      const types = new Set(manifest.layers.map(({ mediaType }: Descriptor) => mediaType))
      assert.deepEqual([...types], [`application/vnd.oci.image.layer.v1.tar${gzip ? '+gzip' : ''}`])
      const digests = manifest.layers.map(({ digest }: Descriptor) => digest)
      assert.equal(
        digests.every((digest: string, at: number) => digest === diffIds[at]),
        !gzip,
      )
      const target = new MemoryStore()
      await copy(root, container.source, target, { tags: ['1.0'] })
    })
  }
})

test('where there is an OCI layout beside the images of Docker, it counts', async () => {
  const { layout, image } = await layoutMembers()
  const path = await written(dockerSave({ members: layout }).bytes)
  await using(openDockerArchive(path), async (container) => {
    assert.deepEqual(
      (await container.roots()).map(({ descriptor }) => descriptor.digest),
      [image.digest],
    )
  })
})

const changed = (change: object) => dockerSave({ change: ([entry]) => [{ ...entry, ...change }] }).bytes
const broken: readonly [what: string, code: string, bytes: () => Uint8Array][] = [
  ['fewer layers than diff_ids', 'ARCHIVE_INVALID', () => changed({ Layers: ['a/layer.tar'] })],
  ['a layer that is not there', 'ARCHIVE_INVALID', () => changed({ Layers: ['a/layer.tar', 'b', 'c'] })],
  ['a config that is not there', 'ARCHIVE_INVALID', () => changed({ Config: 'gone.json' })],
  ['no config', 'ARCHIVE_INVALID', () => changed({ Config: 1 })],
  ['layers that are no list', 'ARCHIVE_INVALID', () => changed({ Layers: { length: 3 } })],
  ['a name that is none', 'ARCHIVE_INVALID', () => changed({ RepoTags: ['UPPER CASE'] })],
  ['a manifest.json that is no list', 'ARCHIVE_INVALID', () => dockerSave({ change: () => ({}) }).bytes],
  [
    'two images of one name',
    'ARCHIVE_INVALID',
    () => dockerSave({ change: ([entry]) => [entry, entry] }).bytes,
  ],
  [
    'two layers of one diff_id',
    'ARCHIVE_INVALID',
    () => changed({ Layers: ['b/layer.tar', 'b/layer.tar', 'a/layer.tar'] }),
  ],
  [
    'a layer compressed that is not its diff_id',
    'CONTENT_DAMAGED',
    () =>
      dockerSave({
        gzip: true,
        change: ([entry]) => [{ ...entry, Layers: ['b/layer.tar', 'a/layer.tar', 'c/layer.tar'] }],
      }).bytes,
  ],
  [
    'a config of another digest',
    'CONTENT_DAMAGED',
    () =>
      dockerSave({
        members: [{ name: `${'0'.repeat(64)}.json`, bytes: Buffer.from('{}') }],
        change: ([entry]) => [{ ...entry, Config: `${'0'.repeat(64)}.json` }],
      }).bytes,
  ],
]
for (const [what, code, bytes] of broken) {
  test(`a docker-archive is refused: ${what}`, async () => {
    await assert.rejects(openDockerArchive(await written(bytes())), { code })
  })
}
