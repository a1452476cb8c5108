// An index some of whose platforms were left behind: its digest is what it was, every engine pulls its own platform
// from it, and a registry that takes no such index is refused before anything is copied.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { fetchManifest } from './artifacts.ts'
import { type Crossing, cross } from './crossing.ts'
import { Containerd, Docker } from './engines.ts'
import { needs } from './peers.ts'
import { preparePodman } from './podman.ts'
import { startRegistry } from './registries.ts'
import { Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())

const platform = `linux/${process.arch === 'arm64' ? 'arm64' : 'amd64'}`

describe('sparse indexes', needs('skopeo', 'buildah', 'debootstrap'), () => {
  let crossing: Crossing
  let served: string
  let source: string
  before(async () => {
    crossing = await cross(bench)
    const name = `${crossing.registry}/shop/nginx:1`
    await bench.sealift(['pack', name, '-o', 'sparse.tgz', '--platform', platform])
    source = `archive:${bench.path('sparse.tgz')}:${name}`
    await bench.sealift(['verify', 'sparse.tgz'])
    served = await bench.serve(['serve', bench.path('sparse.tgz')])
  })

  test('the index is whole, one child is not there', async () => {
    const { descriptor, bytes } = await fetchManifest(`${served}/shop/nginx`, '1')
    assert.deepEqual(descriptor, crossing.index)
    const { manifests } = JSON.parse(bytes.toString()) as {
      manifests: { digest: string; platform: { os: string; architecture: string } }[]
    }
    assert.equal(manifests.length, 2)
    for (const { digest, platform: of } of manifests) {
      const url = `http://${served}/v2/shop/nginx/manifests/${digest}`
      const { status } = await fetch(url, { method: 'HEAD' })
      assert.equal(status, `${of.os}/${of.architecture}` === platform ? 200 : 404)
    }
  })

  test(
    'skopeo, crane and podman pull the platform that is there',
    needs('crane', 'podman', 'runc'),
    async () => {
      const name = `${served}/shop/nginx@${crossing.index.digest}`
      const to = bench.path('dir')
      await bench.run('skopeo', ['copy', '-q', '--src-tls-verify=false', `docker://${name}`, `dir:${to}`])
      const { stdout } = await bench.run('skopeo', ['manifest-digest', `${to}/manifest.json`])
      assert.equal(stdout.trim(), crossing.image.digest)
      await bench.run('crane', ['pull', '--insecure', '--platform', platform, name, bench.path('crane.tar')])
      const podman = preparePodman(bench)
      await podman('pull', '-q', '--tls-verify=false', name)
      assert.match(
        (await podman('run', '--rm', '--network', 'none', name, 'nginx', '-v')).stderr,
        /nginx version/,
      )
    },
  )

  test(
    'containerd and dockerd pull and run it',
    needs('containerd', 'ctr', 'dockerd', 'docker'),
    async () => {
      const containerd = await Containerd.start(bench)
      containerd.host(served)
      const name = `${served}/shop/nginx:1`
      await containerd.run('images', 'pull', containerd.hosts, name)
      assert.equal(await containerd.digest(name), crossing.index.digest)
      const docker = await Docker.start(bench, containerd)
      assert.match((await docker.run('pull', name)).stdout, new RegExp(`Digest: ${crossing.index.digest}`))
      assert.match(
        (await docker.run('run', '--rm', '--network', 'none', name, 'nginx', '-v')).stderr,
        /nginx/,
      )
    },
  )

  for (const peer of ['docker-registry', 'distribution'] as const) {
    test(`${peer} takes none, and gets nothing`, needs(peer), async () => {
      const { registry } = await startRegistry(bench, peer)
      const refused = await bench.sealift(['copy', source, `${registry}/shop/nginx:1`], { exit: 'any' })
      assert.match(refused.stderr, /REGISTRY_SPARSE_REFUSED/)
      const catalog = (await (await fetch(`http://${registry}/v2/_catalog`)).json()) as object
      assert.deepEqual(catalog, { repositories: [] })
    })
  }

  test('distribution that is told to take them does', needs('distribution'), async () => {
    const { registry } = await startRegistry(bench, 'distribution', { sparse: true })
    await bench.sealift(['copy', source, `${registry}/shop/nginx:1`])
    assert.deepEqual((await fetchManifest(`${registry}/shop/nginx`, '1')).descriptor, crossing.index)
    // And back, with the platform that is there.
    const back = `${crossing.registry}/back/nginx:1`
    await bench.sealift(['copy', `${registry}/shop/nginx:1`, back, '--platform', platform])
    assert.deepEqual((await fetchManifest(`${crossing.registry}/back/nginx`, '1')).descriptor, crossing.index)
  })
})
