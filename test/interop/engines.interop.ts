// dockerd and containerd pull from and push to `registry serve`, and pull from an archive served in place, by tag and
// by digest, and run what they pulled; what `docker save` writes is read.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { fetchManifest } from './artifacts.ts'
import { type Crossing, cross } from './crossing.ts'
import { Containerd, Docker } from './engines.ts'
import { needs } from './peers.ts'
import { Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())

const peers = ['skopeo', 'buildah', 'debootstrap', 'containerd', 'ctr', 'runc'] as const

describe('container engines', needs(...peers), () => {
  let crossing: Crossing
  let containerd: Containerd
  before(async () => {
    crossing = await cross(bench)
    containerd = await Containerd.start(bench)
    containerd.host(crossing.registry)
    containerd.host(crossing.served)
  })
  const places = () => [crossing.registry, crossing.served]

  test('containerd: pull by tag and digest, push, run', async () => {
    const { index, image, registry } = crossing
    for (const place of places()) {
      for (const [name, expected] of [
        [`${place}/shop/nginx:1`, index],
        [`${place}/shop/nginx@${index.digest}`, index],
        [`${place}/shop/nginx@${image.digest}`, image],
      ] as const) {
        await containerd.run('images', 'pull', containerd.hosts, name)
        assert.equal(await containerd.digest(name), expected.digest)
      }
    }
    await containerd.run(
      'images',
      'pull',
      containerd.hosts,
      '--all-platforms',
      `${crossing.served}/shop/nginx:1`,
    )
    await containerd.run(
      ...['images', 'push', containerd.hosts, `${registry}/containerd/nginx:1`],
      `${crossing.served}/shop/nginx:1`,
    )
    assert.equal((await fetchManifest(`${registry}/containerd/nginx`, '1')).descriptor.digest, index.digest)
    await bench.sealift(['verify', `${registry}/containerd/nginx:1`])
    const run = await containerd.run(
      'run',
      '--rm',
      `${crossing.served}/shop/nginx:1`,
      'interop',
      'nginx',
      '-v',
    )
    assert.match(`${run.stdout}${run.stderr}`, /nginx version/)
  })

  test('containerd: exports what we read, and imports what we write', async () => {
    const name = `${crossing.served}/shop/nginx:1`
    const exported = bench.path('exported.tar')
    await containerd.run('images', 'export', '--all-platforms', exported, name)
    const roots = await bench.sealiftJson<{ digest: string }[]>(['ls', `oci-archive:${exported}`])
    assert.deepEqual([...new Set(roots.map(({ digest }) => digest))], [crossing.index.digest])

    // ctr unpacks every tag of an archive unless told otherwise, and stops at a signature, which is no image.
    const image = `${crossing.registry}/shop/nginx:1`
    await bench.sealift(['copy', image, `oci-archive:${bench.path('all.tar')}:imported.example/all:1`])
    await containerd.run('images', 'import', '--all-platforms', '--no-unpack', bench.path('all.tar'))
    assert.equal(await containerd.digest('imported.example/all:1'), crossing.index.digest)
    const written = `oci-archive:${bench.path('image.tar')}:imported.example/nginx:1`
    await bench.sealift(['copy', '--no-referrers', image, written])
    await containerd.run('images', 'import', '--all-platforms', bench.path('image.tar'))
    assert.equal(await containerd.digest('imported.example/nginx:1'), crossing.index.digest)
  })

  test('containerd: a served archive stands in for the registry that its images are named after', async () => {
    containerd.host('registry.vendor.example', `http://${crossing.served}`)
    const name = 'registry.vendor.example/shop/nginx:1'
    await containerd.run('images', 'pull', containerd.hosts, name)
    assert.equal(await containerd.digest(name), crossing.index.digest)
  })

  test('dockerd: pull by tag and digest, run, push, save', needs('dockerd', 'docker'), async () => {
    const docker = await Docker.start(bench, containerd)
    const { index, image, registry } = crossing
    for (const place of places()) {
      const name = `${place}/shop/nginx`
      assert.match((await docker.run('pull', `${name}:1`)).stdout, new RegExp(`Digest: ${index.digest}`))
      assert.match((await docker.run('pull', `${name}@${index.digest}`)).stdout, new RegExp(index.digest))
      assert.match((await docker.run('pull', `${name}@${image.digest}`)).stdout, new RegExp(image.digest))
      const run = await docker.run('run', '--rm', '--network', 'none', `${name}:1`, 'nginx', '-v')
      assert.match(run.stderr, /nginx version/)
    }
    const pushed = `${registry}/docker/nginx`
    await docker.run('tag', `${registry}/shop/nginx:1`, `${pushed}:1`)
    const digest = /digest: (sha256:\w+)/.exec((await docker.run('push', `${pushed}:1`)).stdout)?.[1]
    const { descriptor } = await fetchManifest(pushed, '1')
    assert.equal(descriptor.digest, digest)
    // Docker schema 2 is kept as it is.
    assert.equal(descriptor.mediaType, 'application/vnd.docker.distribution.manifest.v2+json')
    await bench.sealift(['pack', `${pushed}:1`, '-o', 'docker.tgz'])
    const served = await bench.serve(['serve', bench.path('docker.tgz')])
    assert.match(
      (await docker.run('pull', `${served}/docker/nginx@${digest}`)).stdout,
      new RegExp(`${digest}`),
    )

    const saved = bench.path('docker.tar')
    await docker.run('save', '-o', saved, `${pushed}:1`)
    await bench.sealift(['copy', `docker-archive:${saved}`, `${registry}/docker/saved:1`])
    await bench.sealift(['verify', `${registry}/docker/saved:1`])
    await docker.run('pull', `${registry}/docker/saved:1`)
    const id = async (name: string) => (await docker.run('inspect', '--format', '{{.Id}}', name)).stdout
    // The image's identity to Docker is the digest of its configuration.
    assert.equal(await id(`${registry}/docker/saved:1`), await id(`${pushed}:1`))
  })

  test('docker-archive of skopeo', async () => {
    const saved = bench.path('skopeo.tar')
    await bench.run('skopeo', [
      ...['copy', '-q', '--src-tls-verify=false', `docker://${crossing.served}/shop/nginx:single`],
      `docker-archive:${saved}:example.test/shop/nginx:1`,
    ])
    await bench.sealift(['copy', `docker-archive:${saved}`, `${crossing.registry}/skopeo/saved:1`])
    await bench.sealift(['verify', `${crossing.registry}/skopeo/saved:1`])
    const config = async (name: string, reference: string) => {
      const { bytes } = await fetchManifest(`${crossing.registry}/${name}`, reference)
      return (JSON.parse(bytes.toString()) as { config: { digest: string } }).config.digest
    }
    assert.equal(await config('skopeo/saved', '1'), await config('shop/nginx', crossing.image.digest))
  })
})
