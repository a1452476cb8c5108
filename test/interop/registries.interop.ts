// Debian's docker-registry (2.8) and distribution 3 as targets and as sources of `sealift copy`: without and with a
// password, and with TLS by a CA of our own from certs.d. What is in them is judged by skopeo and crane.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { fetchManifest } from './artifacts.ts'
import { type Crossing, cross } from './crossing.ts'
import { needs } from './peers.ts'
import { type OtherRegistry, startRegistry } from './registries.ts'
import { Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())

describe('other registries', needs('skopeo', 'buildah', 'debootstrap', 'openssl', 'htpasswd'), () => {
  let crossing: Crossing
  before(async () => {
    crossing = await cross(bench)
  })

  for (const peer of ['docker-registry', 'distribution'] as const) {
    test(`${peer}: referrers and signatures travel there and back`, needs(peer, 'crane'), async () => {
      const other = await startRegistry(bench, peer)
      const there = `${other.registry}/shop/nginx`
      await bench.sealift(['copy', `${crossing.registry}/shop/nginx:1`, `${there}:1`])
      await judge(other)
      await bench.run('crane', ['validate', '--fast', '--remote', `${there}:1`, '--insecure'])
      assert.equal(
        (await fetchManifest(there, crossing.referrer.digest)).descriptor.size,
        crossing.referrer.size,
      )

      // Neither of the two has the referrers API: what has a subject is listed under the tag that OCI 1.1 falls
      // back to, and crane sees it there as an index.
      const fallback = crossing.index.digest.replace(':', '-')
      const { stdout } = await bench.run('crane', ['manifest', '--insecure', `${there}:${fallback}`])
      const { manifests } = JSON.parse(stdout) as { manifests: { digest: string }[] }
      assert.deepEqual(
        manifests.map(({ digest }) => digest),
        [crossing.referrer.digest],
      )

      // Back into an empty registry of ours, which has to find them where this registry keeps them.
      const empty = await bench.serve(['registry', 'serve', bench.fresh('empty')])
      const back = `${empty}/back/nginx`
      await bench.sealift(['copy', `${there}:1`, `${back}:1`])
      assert.deepEqual((await fetchManifest(back, '1')).descriptor, crossing.index)
      const referrers = (await (
        await fetch(`http://${empty}/v2/back/nginx/referrers/${crossing.index.digest}`)
      ).json()) as { manifests: { digest: string; artifactType: string }[] }
      assert.deepEqual(
        referrers.manifests.map(({ digest, artifactType }) => ({ digest, artifactType })),
        [{ digest: crossing.referrer.digest, artifactType: 'application/vnd.example.sbom.v1+json' }],
      )
      const signature = `${crossing.index.digest.replace(':', '-')}.sig`
      assert.equal((await fetchManifest(back, signature)).descriptor.digest, crossing.legacySignature.digest)
    })

    test(
      `${peer}: what is there already is not copied again, from an archive either`,
      needs(peer),
      async () => {
        const other = await startRegistry(bench, peer)
        const to = `${other.registry}/again/nginx:1`
        type Copied = { copied: { items: number }; present: { items: number } }
        const from = [crossing.archive, `${crossing.registry}/shop/nginx:1`] as const
        const first = await bench.sealiftJson<Copied>(['copy', from[1], to])
        assert.ok(first.copied.items > 0)
        const second = await bench.sealiftJson<Copied>(['copy', from[1], to])
        assert.equal(second.copied.items, 0)
        assert.ok(second.present.items > 0)
        const inside = `archive:${crossing.archive}:${crossing.registry}/shop/nginx:1`
        const third = await bench.sealiftJson<Copied>(['copy', inside, to])
        assert.equal(third.copied.items, 0)
        await bench.sealift(['copy', inside, `${other.registry}/from-archive/nginx:1`])
        const { descriptor } = await fetchManifest(`${other.registry}/from-archive/nginx`, '1')
        assert.equal(descriptor.digest, crossing.index.digest)
      },
    )

    test(`${peer}: a password, and a wrong one`, needs(peer), async () => {
      const other = await startRegistry(bench, peer, { password: true })
      const to = `${other.registry}/shop/nginx:1`
      await bench.sealift(['copy', `${crossing.registry}/shop/nginx:1`, to], { env: other.env })
      await judge(other)
      await bench.sealift(['verify', to], { env: other.env })
      const wrong = { REGISTRY_AUTH_FILE: bench.fresh('wrong.json') }
      const auth = Buffer.from('operator:wrong').toString('base64')
      writeFileSync(wrong.REGISTRY_AUTH_FILE, JSON.stringify({ auths: { [other.registry]: { auth } } }))
      for (const env of [wrong, { REGISTRY_AUTH_FILE: bench.path('absent.json') }]) {
        const refused = await bench.sealift(['inspect', to], { env, exit: 'any' })
        assert.match(refused.stderr, /UNAUTHORIZED/)
      }
    })

    test(`${peer}: TLS with a CA from certs.d, and a password`, needs(peer), async () => {
      const other = await startRegistry(bench, peer, { password: true, tls: true })
      const to = `${other.registry}/shop/nginx:1`
      await bench.sealift(['copy', `${crossing.registry}/shop/nginx:1`, to], { env: other.env })
      await judge(other)
      await bench.sealift(['pack', to, '-o', bench.fresh('tls.tgz')], { env: other.env })
      // Without the CA the certificate is not to be trusted, whatever the password.
      const { REGISTRY_AUTH_FILE = '' } = other.env
      const refused = await bench.sealift(['inspect', to], { env: { REGISTRY_AUTH_FILE }, exit: 'any' })
      assert.match(refused.stderr, /certificate/i)
    })
  }

  /** Skopeo reads all of it back, and finds the same index. */
  async function judge(other: OtherRegistry): Promise<void> {
    const to = bench.fresh('judged')
    await bench.run(
      'skopeo',
      [
        ...['copy', '-q', '--all', ...other.skopeo('src')],
        ...[`docker://${other.registry}/shop/nginx:1`, `dir:${to}`],
      ],
      { env: other.env },
    )
    const { stdout } = await bench.run('skopeo', ['manifest-digest', `${to}/manifest.json`])
    assert.equal(stdout.trim(), crossing.index.digest)
  }
})
