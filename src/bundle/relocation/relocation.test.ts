import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isFailure, type Json } from '#base/index.ts'
import { type Container, MemoryStore } from '#content/index.ts'
import { buildImage } from '#image/index.ts'
import { digestOf, isRepositoryName, parseReference } from '#oci/index.ts'
import { checkBundle } from '../bundle-file.ts'
import { writeArtifact } from '../project/artifact.ts'
import { locateIn } from './locate.ts'
import { checkMapping, formatRelocationMapping, parseRelocationMapping } from './mapping.ts'
import { relocationPlan } from './plan.ts'
import { relocate } from './relocate.ts'
import { spellings } from './spellings.ts'

const fails = (code: string) => (error: unknown) => isFailure(error, code)
const a = digestOf(Buffer.from('a'))
const b = digestOf(Buffer.from('b'))
const bundleOf = (images: Record<string, Json>) =>
  checkBundle({
    schemaVersion: 'v1.2.0',
    name: 'n',
    version: '1.0.0',
    invocationImages: [{ image: 'example/run:1', contentDigest: a }],
    images,
  })

describe('spellings of one image', () => {
  const cases: readonly (readonly [string, string | undefined, readonly string[]])[] = [
    [
      'nginx',
      undefined,
      [
        'nginx',
        'nginx:latest',
        'docker.io/library/nginx',
        'docker.io/nginx:latest',
        'library/nginx',
        'index.docker.io/library/nginx:latest',
      ],
    ],
    [
      'nginx:1',
      a,
      [
        'nginx:1',
        `nginx@${a}`,
        `nginx:1@${a}`,
        'docker.io/library/nginx:1',
        `docker.io/library/nginx:1@${a}`,
      ],
    ],
    [`quay.io/a/b:1@${a}`, undefined, ['quay.io/a/b:1', `quay.io/a/b@${a}`, `quay.io/a/b:1@${a}`]],
  ]
  for (const [text, digest, expected] of cases) {
    test(text, () => {
      const all = spellings(text, digest)
      assert.equal(all[0], text)
      assert.deepEqual(
        expected.filter((spelling) => !all.includes(spelling)),
        [],
      )
    })
  }
  test('a tag is not latest, and a digest is no tag', () => {
    assert.ok(!spellings('nginx:1', a).includes('nginx'))
    assert.ok(!spellings(`nginx@${a}`).includes('nginx:latest'))
    assert.deepEqual(spellings('https://example.com/vm.iso'), ['https://example.com/vm.iso'])
  })
  test('each spelling names the same repository', () => {
    const name = fc.constantFrom('nginx', 'a/b', 'quay.io/x/y', 'localhost:5000/z', 'docker.io/library/nginx')
    fc.assert(
      fc.property(
        name,
        fc.constantFrom('', ':1', `@${a}`, `:1@${a}`),
        fc.constantFrom(undefined, b),
        (text, suffix, digest) => {
          const own = parseReference(text + suffix)
          for (const spelling of spellings(text + suffix, digest)) {
            const { registry, repository } = parseReference(spelling)
            assert.deepEqual([registry, repository], [own.registry, own.repository])
          }
        },
      ),
    )
  })
})

describe('where images go', () => {
  test('PREFIX/PATH@DIGEST, all spellings, invocation images included', () => {
    const bundle = bundleOf({
      web: { image: `nginx:1@${b}` },
      same: { image: `docker.io/library/nginx:1@${b}` },
    })
    const { mapping, images } = relocationPlan(bundle, { to: 'registry.local:5000/mirror/' })
    assert.equal(mapping['example/run:1'], `registry.local:5000/mirror/example/run@${a}`)
    const web = `registry.local:5000/mirror/library/nginx@${b}`
    for (const key of [`nginx:1@${b}`, 'nginx:1', `docker.io/library/nginx@${b}`])
      assert.equal(mapping[key], web)
    assert.deepEqual(
      images.map(({ tags }) => tags[0]),
      ['1', '1', '1'],
    )
    checkMapping(bundle, mapping)
    assert.deepEqual({ ...parseRelocationMapping(formatRelocationMapping(mapping)) }, mapping)
  })

  test('two registries of one path are never confused', () => {
    const bundle = bundleOf({ x: { image: `quay.io/app:1@${a}` }, y: { image: `ghcr.io/app:1@${b}` } })
    const { mapping, images } = relocationPlan(bundle, { to: 'r.local' })
    assert.equal(mapping[`quay.io/app:1@${a}`], `r.local/app@${a}`)
    assert.equal(mapping[`ghcr.io/app:1@${b}`], `r.local/app@${b}`)
    const tags = images.slice(1).flatMap((image) => image.tags)
    assert.equal(new Set(tags).size, 2)
    assert.ok(
      tags.every((tag) => tag.startsWith('sealift-')),
      'a tag that both want, none gets',
    )
  })

  test('a spelling that two images share is left out, what the bundle writes never is', () => {
    const bundle = bundleOf({
      x: { image: `app:1@${a}` },
      y: { image: `app:1@${b}` },
      z: { image: 'app:1', contentDigest: b },
    })
    const { mapping } = relocationPlan(bundle, { to: 'r.local/p' })
    assert.equal(mapping['app:1'], `r.local/p/library/app@${b}`)
    assert.equal(mapping['docker.io/library/app:1'], undefined)
    assert.equal(mapping[`app:1@${a}`], `r.local/p/library/app@${a}`)
  })

  test('names stay within what registries take', () => {
    const path = `${'a'.repeat(120)}/${'b'.repeat(120)}`
    const bundle = bundleOf({ x: { image: `q.io/${path}@${a}` }, y: { image: `q.io/${path}b@${b}` } })
    const { images } = relocationPlan(bundle, { to: `r.local/${'p'.repeat(40)}` })
    const names = images.slice(1).map(({ to }) => to.repository)
    assert.ok(names.every(isRepositoryName))
    assert.equal(new Set(names).size, 2)
  })

  test('what has no digest, or no place, is refused', () => {
    assert.throws(
      () => relocationPlan(bundleOf({ x: { image: 'app:1' } }), { to: 'r.local' }),
      fails('IMAGE_UNPINNED'),
    )
    const file = { image: 'files/x:1', imageType: 'file', contentDigest: a }
    assert.throws(() => relocationPlan(bundleOf({ x: file }), { to: 'r.local' }), fails('IMAGE_UNPINNED'))
    for (const to of ['', 'r.local/UPPER', 'r.local/..', 'r local/x']) {
      assert.throws(() => relocationPlan(bundleOf({}), { to }), fails('RELOCATION_INVALID'), to)
    }
  })
})

describe('relocating', () => {
  test('copies images and files out of a container, digests kept', async () => {
    const store = new MemoryStore()
    const run = await buildImage(
      { layers: [{ files: [{ content: 'run', to: '/run' }] }], compression: 'none' },
      store,
    )
    const disk = Buffer.from('a disk image')
    const vm = await writeArtifact(
      { artifactType: 'application/x-qcow2', blobs: [{ mediaType: 'application/x-qcow2', content: disk }] },
      store,
    )
    const bundle = checkBundle({
      schemaVersion: 'v1.2.0',
      name: 'n',
      version: '1.0.0',
      invocationImages: [{ image: 'example/run:1', contentDigest: run.digest }],
      images: {
        vm: { image: `vms/disk@${vm.manifest.digest}`, imageType: 'qcow2', contentDigest: digestOf(disk) },
      },
    })
    const plan = relocationPlan(bundle, { to: 'r.local/p' })
    const targets = new Map<string, MemoryStore>()
    const target = ({ registry, repository }: { registry: string; repository: string }) => {
      const made = new MemoryStore()
      assert.ok(!targets.has(repository), 'each is opened once')
      targets.set(`${registry}/${repository}`, made)
      return made
    }
    const locate = locateIn({ source: store } as Pick<Container, 'source'>)
    const { mapping, result } = await relocate(plan, { locate, target })
    assert.equal(result.copied.items, 3 + 3)
    for (const place of Object.values(mapping)) {
      const { registry, repository, digest } = parseReference(place)
      const found = await targets.get(`${registry}/${repository}`)?.resolve(digest!)
      assert.equal(found?.digest, digest)
    }
    assert.equal((await targets.get('r.local/p/example/run')!.resolve('1')).digest, run.digest)

    const lying = checkBundle({
      ...bundle,
      images: { vm: { ...bundle.images!.vm!, contentDigest: a } },
    } as unknown as Json)
    await assert.rejects(
      relocate(relocationPlan(lying, { to: 'r.local' }), { locate, target: () => new MemoryStore() }),
      fails('IMAGE_DIGEST'),
    )
  })
})
