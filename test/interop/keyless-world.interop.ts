// The bundles of the tests' own keyless world, judged by cosign: it says yes and no where we do.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { after, describe, test } from 'node:test'
import { isFailure } from '#base/index.ts'
import { digestOf } from '#oci/index.ts'
import { judge, prepareTrust, proofOf } from '#trust/index.ts'
import { identity, issuer, sigstoreWorld } from '../support/sigstore-world.ts'
import { needs } from './peers.ts'
import { Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())

describe('a keyless world and cosign', needs('cosign'), async () => {
  const world = await sigstoreWorld()
  const bytes = Buffer.from('content')
  const digest = digestOf(bytes)
  const trust = prepareTrust({ keys: [], roots: [{ name: 'world', root: world.trustedRoot }] })
  const write = (name: string, content: string | Uint8Array): string => {
    writeFileSync(bench.path(name), content)
    return bench.path(name)
  }

  /** Whether cosign takes it; ours must have the same to say. */
  async function agreed(bundle: Uint8Array, isStamped: boolean): Promise<boolean> {
    const [root, file, path] = [
      write('root.json', JSON.stringify(world.trustedRoot)),
      write('content', bytes),
      write('bundle.json', bundle),
    ]
    const flags = ['--certificate-identity', identity, '--certificate-oidc-issuer', issuer]
    const stamped = isStamped ? ['--use-signed-timestamps'] : []
    const args = ['verify-blob', '--bundle', path, ...flags, '--trusted-root', root, ...stamped, file]
    const isGood = await bench.run('cosign', args).then(
      () => true,
      () => false,
    )
    let isOurs = true
    try {
      judge(proofOf('bundle', bundle), { digest, bytes }, trust, new Date())
    } catch (error) {
      assert.ok(isFailure(error), String(error))
      isOurs = false
    }
    assert.equal(isGood, isOurs, `cosign: ${isGood}, sealift: ${isOurs}`)
    return isGood
  }

  // biome-ignore lint/suspicious/noExplicitAny: bundles are bent at any place
  const bent = (bundle: Uint8Array, bend: (parsed: any) => void): Uint8Array => {
    const parsed = JSON.parse(Buffer.from(bundle).toString())
    bend(parsed)
    return Buffer.from(JSON.stringify(parsed))
  }

  test('good ones, logged by either version of Rekor', async () => {
    assert.ok(await agreed(await world.message(bytes, 1), false))
    assert.ok(await agreed(await world.message(bytes, 2), true))
  })

  test('out of the certificate’s time, unlogged, of another authority, over other bytes', async () => {
    const elsewhere = await sigstoreWorld()
    for (const bundle of [
      await world.message(bytes, 1, { loggedMs: 3_600_000 }),
      await world.unlogged(bytes),
      await elsewhere.message(bytes, 1),
      await world.message(Buffer.from('other'), 1),
      await world.message(bytes, 1, { promiser: world.keys.second }),
    ]) {
      assert.equal(await agreed(bundle, false), false)
    }
    assert.equal(await agreed(await world.message(bytes, 2, { loggedMs: 3_600_000 }), true), false)
  })

  test('a proof, a promise or a stamp that was bent', async () => {
    const good = await world.message(bytes, 2)
    const withoutHash = bent(good, (b) => b.verificationMaterial.tlogEntries[0].inclusionProof.hashes.pop())
    const unstamped = bent(good, (b) => delete b.verificationMaterial.timestampVerificationData)
    const unlogged = bent(good, (b) => {
      b.verificationMaterial.tlogEntries = []
    })
    for (const bundle of [withoutHash, unstamped, unlogged]) assert.equal(await agreed(bundle, true), false)
    const later = bent(await world.message(bytes, 1), (b) => {
      const [entry] = b.verificationMaterial.tlogEntries
      entry.integratedTime = String(Number(entry.integratedTime) + 1)
    })
    assert.equal(await agreed(later, false), false)
  })
})
