import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SealiftError } from '#base/index.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { mutate } from './mutate.ts'
import { targets } from './targets.ts'

test('every fuzz target takes its corpus, and some changed inputs', async () => {
  assert.equal(new Set(targets.map(({ name }) => name)).size, targets.length, 'names are different')
  for (const target of targets) {
    const bytes = (text: string | Uint8Array) => (typeof text === 'string' ? Buffer.from(text) : text)
    const corpus = target.corpus.map(bytes)
    const random = seededRandom(7)
    const changed = Array.from({ length: 50 }, () => mutate(corpus, (target.words ?? []).map(bytes), random))
    let good = 0
    for (const input of [...corpus, ...changed]) {
      try {
        await target.run(input)
        good++
      } catch (error) {
        if (!(error instanceof SealiftError)) throw error
      }
    }
    assert.ok(good > 0, `${target.name}: something in the corpus is right`)
  }
})
