import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { pkiLimits } from '#base/index.ts'
import { certificateRequest } from '../../../test/support/certificate-request.ts'
import { MemorySecretStore } from '../../../test/support/memory-secret-store.ts'
import { admin, made, open, signed, start, text } from '../../../test/support/pki-scene.ts'

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

test('many guests of one identity that ask one process at once each get theirs', async () => {
  const store = new MemorySecretStore(async () => {})
  const limits = { ...pkiLimits, attempts: 1 }
  const pki = open(store, {}, { limits })
  const keys = Array.from({ length: 40 }, () => generateKeyPairSync('ed25519').privateKey)
  const asked = keys.map((key) => signed(pki, { profile: 'guest' }, certificateRequest(key)))
  const refused = made(pki, { profile: 'web', dns: 'a.other.example' }).catch(({ code }) => code)
  const answers = await Promise.all(asked)
  assert.ok(answers.every(({ x509 }, n) => x509.checkPrivateKey(keys[n]!)))
  assert.equal(new Set(answers.map(({ x509 }) => x509.serialNumber)).size, 40)
  assert.equal(await refused, 'PKI_NAME_REFUSED')
  const { issued } = await admin(pki, 'GET', 'pki/holders/ada')
  assert.equal(issued.length, 40)
})
