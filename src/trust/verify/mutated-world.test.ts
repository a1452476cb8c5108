import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalJson, type Json, SealiftError } from '#base/index.ts'
import { digestOf } from '#oci/index.ts'
import { sigstoreWorld } from '../../../test/support/sigstore-world.ts'
import { proofOf } from '../proof.ts'
import { judge } from './judge.ts'
import { judgeAll } from './judge-all.ts'
import { prepareTrust } from './prepared-trust.ts'

const world = await sigstoreWorld()
const trust = prepareTrust({ keys: [], roots: [{ name: 'world', root: world.trustedRoot }] })
const bytes = Buffer.from('content')
const digest = digestOf(bytes)
const at = new Date()

test('whatever is changed in a good bundle: refused with a code, or it says the same', async () => {
  for (const version of [1, 2] as const) {
    const good = Buffer.from(await world.statement(digest, version))
    const { digest: _, ...expected } = judge(proofOf('bundle', good), { digest, bytes }, trust, at)
    fc.assert(
      fc.property(
        fc.nat(good.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.constantFrom('flip', 'cut', 'drop', 'double'),
        (place, flip, how) => {
          const changed =
            how === 'cut'
              ? good.subarray(0, place)
              : how === 'drop'
                ? Buffer.concat([good.subarray(0, place), good.subarray(place + 1)])
                : how === 'double'
                  ? Buffer.concat([good.subarray(0, place + 1), good.subarray(place)])
                  : Buffer.from(good.map((byte, index) => (index === place ? byte ^ flip : byte)))
          try {
            const { digest: __, ...facts } = judge(proofOf('bundle', changed), { digest, bytes }, trust, at)
            assert.deepEqual(facts, expected)
          } catch (error) {
            if (!(error instanceof SealiftError)) throw error
          }
        },
      ),
      { numRuns: 1500 },
    )
  }
})

test('whatever is changed in the DER of certificate or time stamp: refused with a code, or it says the same', async () => {
  const good = JSON.parse(Buffer.from(await world.statement(digest, 2)).toString())
  const { certificate, timestampVerificationData: stamps } = good.verificationMaterial
  const holders = [
    [certificate, 'rawBytes'],
    [stamps.rfc3161Timestamps[0], 'signedTimestamp'],
  ] as const
  for (const [holder, name] of holders) {
    const text = holder[name]
    const der = Buffer.from(text, 'base64')
    const proof = proofOf('bundle', Buffer.from(JSON.stringify(good)))
    const { digest: _, ...expected } = judge(proof, { digest, bytes }, trust, at)
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), (place, flip) => {
        const changed = Buffer.from(der)
        changed[place] = changed[place]! ^ flip
        holder[name] = changed.toString('base64')
        try {
          const bundle = Buffer.from(JSON.stringify(good))
          const { digest: __, ...facts } = judge(proofOf('bundle', bundle), { digest, bytes }, trust, at)
          assert.deepEqual(facts, expected)
        } catch (error) {
          if (!(error instanceof SealiftError)) throw error
        } finally {
          holder[name] = text
        }
      }),
      { numRuns: 800 },
    )
  }
})

test('the order of proofs does not matter, nor how often one is there', async () => {
  const bundles = [
    await world.statement(digest, 1),
    await world.statement(digest, 2),
    await world.message(bytes, 1),
    await world.unlogged(bytes),
    await world.statement(digestOf(Buffer.from('other'))),
    Buffer.from('{}'),
  ]
  const proofs = bundles.map((bundle) => proofOf('bundle', bundle))
  const evidence = (some: typeof proofs) =>
    canonicalJson(judgeAll({ digest, bytes, mediaType: 'x' }, some, trust, at) as unknown as Json)
  const expected = evidence(proofs)
  fc.assert(
    fc.property(fc.shuffledSubarray(proofs, { minLength: 6 }), fc.subarray(proofs), (order, again) => {
      assert.deepEqual(evidence([...order, ...again]), expected)
    }),
    { numRuns: 15 },
  )
})
