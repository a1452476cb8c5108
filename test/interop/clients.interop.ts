// skopeo, crane, buildah and podman push to and pull from `registry serve`, and pull from an archive served in place,
// by tag and by digest. Digests are compared with those from before.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { fetchManifest } from './artifacts.ts'
import { type Crossing, cross } from './crossing.ts'
import { needs } from './peers.ts'
import { preparePodman } from './podman.ts'
import { Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())

describe('clients', needs('skopeo', 'buildah', 'debootstrap'), () => {
  let crossing: Crossing
  before(async () => {
    crossing = await cross(bench)
  })
  const places = () => [crossing.registry, crossing.served]

  test('skopeo: pull by tag and digest, all platforms, and push', async () => {
    const { index, image, registry } = crossing
    for (const place of places()) {
      const name = `docker://${place}/shop/nginx`
      const inspected = await bench.run('skopeo', ['inspect', '--tls-verify=false', '--raw', `${name}:1`])
      assert.equal(Buffer.byteLength(inspected.stdout), index.size)
      for (const [reference, expected] of [
        [`${name}:1`, index],
        [`${name}@${index.digest}`, index],
        [`${name}@${image.digest}`, image],
      ] as const) {
        const to = bench.fresh('skopeo')
        await bench.run('skopeo', [
          ...['copy', '-q', '--all', '--src-tls-verify=false', reference, `dir:${to}`],
        ])
        const digest = await bench.run('skopeo', ['manifest-digest', `${to}/manifest.json`])
        assert.equal(digest.stdout.trim(), expected.digest)
      }
      const listed = JSON.parse((await bench.run('skopeo', ['list-tags', '--tls-verify=false', name])).stdout)
      assert.deepEqual(
        listed.Tags.filter((tag: string) => !tag.startsWith('sha256-')),
        ['1', 'single'],
      )
    }
    await bench.run('skopeo', [
      ...['copy', '-q', '--all', '--src-tls-verify=false', '--dest-tls-verify=false'],
      ...[`docker://${crossing.served}/shop/nginx:1`, `docker://${registry}/skopeo/nginx:1`],
    ])
    assert.equal((await fetchManifest(`${registry}/skopeo/nginx`, '1')).descriptor.digest, index.digest)
  })

  test('crane: digest, validate, pull, copy, push, delete', needs('crane'), async () => {
    const { index, image, registry, referrer, legacySignature } = crossing
    const crane = async (...args: readonly string[]) =>
      (await bench.run('crane', [...args, '--insecure'])).stdout.trim()
    for (const place of places()) {
      const name = `${place}/shop/nginx`
      assert.equal(await crane('digest', `${name}:1`), index.digest)
      assert.equal(await crane('digest', `${name}@${image.digest}`), image.digest)
      // Fetches every blob, and compares digests, sizes, uncompressed digests and the files of each layer.
      await crane('validate', '--remote', `${name}@${image.digest}`)
      await crane('validate', '--fast', '--remote', `${name}:1`)
      await crane('blob', `${name}@${(await configOf(name, image.digest)).digest}`)
      assert.match(await crane('manifest', `${name}@${referrer.digest}`), /vnd\.example\.sbom/)
      // Cosign's tag of old came along too, and the referrers API knows what has a subject.
      const signatureTag = `${index.digest.replace(':', '-')}.sig`
      assert.equal(await crane('digest', `${name}:${signatureTag}`), legacySignature.digest)
      const referrers = await fetch(`http://${place}/v2/shop/nginx/referrers/${index.digest}`)
      const { manifests } = (await referrers.json()) as { manifests: { digest: string }[] }
      assert.deepEqual(
        manifests.map(({ digest }) => digest),
        [referrer.digest],
      )
      const layout = bench.fresh('crane')
      await crane('pull', '--format=oci', `${name}:1`, layout)
      const { roots } = await bench.sealiftJson<{ ok: boolean; roots: number }>(['verify', `oci:${layout}`])
      assert.equal(roots, 1)
      await crane('push', '--index', layout, `${registry}/crane/nginx:${place === registry ? 'a' : 'b'}`)
      await crane(
        'validate',
        '--fast',
        '--remote',
        `${registry}/crane/nginx:${place === registry ? 'a' : 'b'}`,
      )
    }
    await crane('copy', `${crossing.served}/shop/nginx:1`, `${registry}/crane/copied:1`)
    assert.equal(await crane('digest', `${registry}/crane/copied:1`), index.digest)
    assert.match(await crane('catalog', registry), /^crane\/copied$/m)
    const served = (await crane('catalog', crossing.served)).split('\n')
    for (const repository of served) await crane('ls', `${crossing.served}/${repository}`)
    await crane('tag', `${registry}/crane/copied:1`, '2')
    assert.equal(await crane('ls', `${registry}/crane/copied`), '1\n2')
    await crane('delete', `${registry}/crane/copied@${index.digest}`)
    await assert.rejects(crane('digest', `${registry}/crane/copied:1`), /MANIFEST_UNKNOWN|404/)
  })

  test('buildah: pull by tag and digest, and push', async () => {
    const { index, image, registry } = crossing
    const storage = [
      '--storage-driver',
      'vfs',
      '--root',
      bench.path('b-root'),
      '--runroot',
      bench.path('b-run'),
    ]
    const buildah = (...args: readonly string[]) => bench.run('buildah', [...storage, ...args])
    for (const place of places()) {
      await buildah('pull', '-q', '--tls-verify=false', `${place}/shop/nginx:1`)
      await buildah('pull', '-q', '--tls-verify=false', `${place}/shop/nginx@${image.digest}`)
      const { stdout } = await buildah('images', '--digests', '--format', '{{.Name}} {{.Digest}}')
      assert.match(stdout, new RegExp(`^${place}/shop/nginx +(${index.digest}|${image.digest})$`, 'm'))
    }
    await buildah(
      ...['push', '-q', '--tls-verify=false', '--digestfile', bench.path('pushed')],
      ...[`${registry}/shop/nginx:1`, `docker://${registry}/buildah/nginx:1`],
    )
    const { stdout } = await bench.run('skopeo', [
      ...['inspect', '--tls-verify=false', '--format', '{{.Digest}}', `docker://${registry}/buildah/nginx:1`],
    ])
    assert.match(stdout, /^sha256:/)
    await bench.sealift(['verify', `${registry}/buildah/nginx:1`])
  })

  test('podman: pull by tag and digest, run, commit, push and save', needs('podman', 'runc'), async () => {
    const { image, registry } = crossing
    const podman = preparePodman(bench)
    for (const place of places()) {
      await podman('pull', '-q', '--tls-verify=false', `${place}/shop/nginx:1`)
      await podman('pull', '-q', '--tls-verify=false', `${place}/shop/nginx@${image.digest}`)
      const run = await podman('run', '--rm', '--network', 'none', `${place}/shop/nginx:1`, 'nginx', '-v')
      assert.match(run.stderr, /nginx version/)
    }
    const base = `${registry}/shop/nginx:1`
    const container = (await podman('create', '--network', 'none', base, 'true')).stdout.trim()
    await podman('commit', '-q', container, 'localhost/committed')
    const pushed = `${registry}/podman/nginx`
    await podman(
      ...['push', '-q', '--tls-verify=false', '--digestfile', bench.path('podman-digest')],
      ...['localhost/committed', `${pushed}:1`],
    )
    await bench.sealift(['verify', `${pushed}:1`])
    const saved = bench.path('podman.tar')
    await podman('save', '-q', '--format', 'oci-archive', '-o', saved, 'localhost/committed')
    const [{ digest } = { digest: '' }] = await bench.sealiftJson<{ digest: string }[]>([
      'ls',
      `oci-archive:${saved}`,
    ])
    await bench.sealift(['copy', `oci-archive:${saved}`, `${registry}/podman/saved:1`])
    assert.equal((await fetchManifest(`${registry}/podman/saved`, '1')).descriptor.digest, digest)
    await podman('pull', '-q', '--tls-verify=false', `${registry}/podman/saved@${digest}`)
  })
})

/** The descriptor of an image's configuration, from the manifest that is served. */
async function configOf(repository: string, digest: string): Promise<{ digest: string }> {
  const { bytes } = await fetchManifest(repository, digest)
  return (JSON.parse(bytes.toString()) as { config: { digest: string } }).config
}
