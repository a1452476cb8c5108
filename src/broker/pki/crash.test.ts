import assert from 'node:assert/strict'
import { test } from 'node:test'
import { admin, guest, later, made, open, text } from '../../../test/support/pki-scene.ts'
import { MemorySecretStore } from '../stores/index.ts'
import type { SecretStore } from '../types.ts'

class Died extends Error {}

/** A store whose process dies with its n-th change: before it is made, or after it is, and nobody hears of it. */
function dying(store: SecretStore, n: number, isMade: boolean): SecretStore {
  let left = n
  const alive = () => {
    if (left <= 0) throw new Died()
  }
  return {
    async read(key, signal) {
      alive()
      return await store.read(key, signal)
    },
    async list(prefix, page) {
      alive()
      return await store.list(prefix, page)
    },
    async compareAndSet(...change) {
      alive()
      left--
      const revision = left > 0 || isMade ? await store.compareAndSet(...change) : undefined
      alive()
      return revision
    },
  }
}

const own = { profile: 'own', dns: 'a.own.example,b.own.example' }

/** All that one process does in its life. */
async function live(store: SecretStore, given: string[]): Promise<void> {
  const pki = open(store)
  const serialOf = async (query: Record<string, string>, name: string) => {
    const { x509 } = await made(pki, query, guest(name))
    given.push(x509.serialNumber.toLowerCase())
    return given.at(-1)!
  }
  const first = await serialOf(own, 'ada')
  await serialOf({ profile: 'guest' }, 'bob')
  await admin(pki, 'DELETE', `pki/issued/${first}`)
  await serialOf(own, 'bob')
  await admin(pki, 'PUT', 'pki/holders/bob')
  await pki.rotate({ root: true, distrust: true }, later(0))
  await text(pki, 'crl.pem')
}

test('whenever a process dies, what it gave out is recorded, and the next one goes on', async () => {
  for (const isMade of [false, true]) {
    let isFinished = false
    for (let n = 1; !isFinished; n++) {
      const store = new MemorySecretStore()
      const given: string[] = []
      try {
        await live(dying(store, n, isMade), given)
        isFinished = true
        assert.ok(n > 15)
      } catch (error) {
        assert.ok(error instanceof Died, String(error))
      }
      const pki = open(store)
      const { issued } = await admin(pki, 'GET', 'pki/issued')
      const recorded = issued.map(({ serial }: { serial: string }) => serial)
      for (const serial of given) assert.ok(recorded.includes(serial))
      await admin(pki, 'DELETE', 'pki/holders/bob').catch(() => {})
      for (const name of ['ada', 'bob']) assert.ok((await made(pki, { profile: 'guest' }, guest(name))).key)
      // Nothing that was half done keeps a name from others for longer than a certificate lasts.
      await made(pki, { profile: 'own', dns: 'a.own.example' }, guest('eve'), later(1.1))
      await pki.sweep(later(90))
      for (const prefix of ['pki/issued/', 'pki/holders/', 'pki/names/'])
        assert.deepEqual(await store.list(prefix), [])
      assert.match(await text(pki, 'crl.pem', later(90)), /BEGIN X509 CRL/)
    }
  }
})
