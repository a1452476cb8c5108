import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemorySecretStore } from '../../../test/support/memory-secret-store.ts'
import { made, open, start, text } from '../../../test/support/pki-scene.ts'

test('of many replicas one makes the authorities, and one certificate answers one question', async () => {
  for (let seed = 1; seed <= 5; seed++) {
    let state = seed
    // Steps of all of them in an order of their own.
    const store = new MemorySecretStore(async () => {
      state = (state * 48271) % 2147483647
      for (let n = state % 7; n > 0; n--) await null
    })
    const replicas = Array.from({ length: 6 }, () => open(store))
    const answers = await Promise.all(replicas.map((pki) => made(pki, { profile: 'guest' })))
    assert.equal(new Set(answers.map(({ certificate }) => certificate)).size, 1)
    assert.equal(new Set(await Promise.all(replicas.map((pki) => text(pki, 'ca')))).size, 1)
    const left = [...store.entries.keys()].filter((name) => name.startsWith('pki/issued/'))
    assert.equal(left.length, 1, 'what was not given out is not kept')
    await Promise.all(
      replicas.map(async (pki, n) => {
        await made(pki, { profile: 'web', dns: `a${n}.shop.example` })
        await pki.rotate({}, start)
      }),
    )
    const { intermediates } = await replicas[0]!.authorities(start)
    assert.equal(intermediates.length, 7)
    const lists = await Promise.all(replicas.map((pki) => text(pki, 'crl.pem')))
    assert.equal(new Set(lists).size, 1)
  }
})
