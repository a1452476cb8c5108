import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { isFailure, secretLimits } from '#base/index.ts'
import { dropMasterKey, newKeyring, rotateKeyring } from './keyring.ts'
import { MemorySecretStore } from './memory-store.ts'
import { reseal, sealedStore } from './sealed-store.ts'
import { openValue, sealBytes, sealValue } from './sealed-value.ts'
import { secretStoreTests } from './secret-store.suite.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const failsWith = (code: string) => (error: unknown) => isFailure(error, code)
const keyring = newKeyring()

secretStoreTests('sealed, over memory', {
  runs: 50,
  // The suite writes values as large as stores take, which is a little more than what may be sealed.
  open: async () => {
    const limits = { valueBytes: secretLimits.storedBytes }
    const roomy = new MemorySecretStore({ storedBytes: secretLimits.storedBytes + sealBytes })
    return { handles: [sealedStore(roomy, keyring, { limits })], close: async () => undefined }
  },
})

test('what lies in the store shows nothing of a value, and no two sealings are the same', async () => {
  const under = new MemorySecretStore()
  const store = sealedStore(under, keyring)
  const value = bytes('planted secret '.repeat(3))
  await store.compareAndSet('a', undefined, value)
  await store.compareAndSet('b', undefined, value)
  const [a, b] = [(await under.read('a'))!.value, (await under.read('b'))!.value]
  assert.equal(a.length, value.length + sealBytes)
  assert.ok(!Buffer.from(a).includes('planted') && !Buffer.from(b).includes('planted'))
  assert.notDeepEqual(a.subarray(24), b.subarray(24))
})

test('a value that was moved to another key or store, or put back changed, does not open', async () => {
  const under = new MemorySecretStore()
  const store = sealedStore(under, keyring, { name: 'main' })
  await store.compareAndSet('a/b', undefined, bytes('value'))
  const sealed = (await under.read('a/b'))!.value
  await under.compareAndSet('a/c', undefined, sealed)
  await assert.rejects(store.read('a/c'), failsWith('SECRET_SEAL_BROKEN'))
  await assert.rejects(
    sealedStore(under, keyring, { name: 'other' }).read('a/b'),
    failsWith('SECRET_SEAL_BROKEN'),
  )
  await assert.rejects(
    sealedStore(under, newKeyring()).read('a/b'),
    failsWith('SECRET_SEALED_BY_UNKNOWN_KEY'),
  )
  // Neither by another way of cutting the same text into store and key.
  const place = { store: 'main', key: 'a/b' }
  for (const other of [
    { store: 'maina', key: '/b' },
    { store: '', key: 'maina/b' },
  ]) {
    assert.throws(() => openValue(keyring, other, sealed), failsWith('SECRET_SEAL_BROKEN'))
  }
  for (let at = 0; at < sealed.length; at++) {
    const changed = sealed.slice()
    changed[at]! ^= 1 << (at % 8)
    assert.throws(
      () => openValue(keyring, place, changed),
      failsWith(
        at < 8 ? 'SECRET_NOT_SEALED' : at < 24 ? 'SECRET_SEALED_BY_UNKNOWN_KEY' : 'SECRET_SEAL_BROKEN',
      ),
      `byte ${at}`,
    )
    assert.throws(() => openValue(keyring, place, sealed.subarray(0, at)), isFailure)
  }
  assert.throws(
    () => openValue(keyring, place, Buffer.concat([sealed, sealed])),
    failsWith('SECRET_SEAL_BROKEN'),
  )
  // The parts of two values do not make a third.
  const two = sealValue(keyring, place, bytes('other'))
  const mixed = Buffer.concat([sealed.subarray(0, 84), two.subarray(84)])
  assert.throws(() => openValue(keyring, place, mixed), failsWith('SECRET_SEAL_BROKEN'))
})

test('any bytes come back as they were, and any others do not open', () => {
  const place = { store: 's', key: 'k' }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (value) => {
      assert.deepEqual(openValue(keyring, place, sealValue(keyring, place, value)), value)
      assert.throws(() => openValue(keyring, place, value), failsWith('SECRET_NOT_SEALED'))
    }),
  )
})

test('a value that looks like a sealed one is a value like any other', async () => {
  const under = new MemorySecretStore()
  const store = sealedStore(under, keyring)
  const looks = sealValue(keyring, { store: '', key: 'a' }, bytes('inner'))
  await store.compareAndSet('a', undefined, looks)
  assert.deepEqual((await store.read('a'))!.value, looks)
})

test('values at the limit are sealed, and one beyond is refused', async () => {
  const store = sealedStore(new MemorySecretStore(), keyring)
  const largest = new Uint8Array(secretLimits.valueBytes)
  assert.ok(await store.compareAndSet('a', undefined, largest))
  assert.equal((await store.read('a'))!.value.length, largest.length)
  const over = new Uint8Array(secretLimits.valueBytes + 1)
  await assert.rejects(store.compareAndSet('b', undefined, over), failsWith('SECRET_VALUE_TOO_LARGE'))
})

test('after a rotation old values open, new ones are sealed by the new key, and reseal takes the old one out of use', async () => {
  const under = new MemorySecretStore()
  let ring = keyring
  const store = sealedStore(under, () => ring)
  const keys = Array.from({ length: 25 }, (_, at) => `k/${at}`).sort()
  for (const key of keys) await store.compareAndSet(key, undefined, bytes(key))
  ring = rotateKeyring(ring)
  await store.compareAndSet('new', undefined, bytes('new'))
  for (const key of keys) assert.deepEqual((await store.read(key))!.value, bytes(key))
  await assert.rejects(sealedStore(under, keyring).read('new'), failsWith('SECRET_SEALED_BY_UNKNOWN_KEY'))
  assert.throws(() => dropMasterKey(ring, ring.activeId), failsWith('KEYRING_KEY_NEEDED'))
  assert.throws(() => dropMasterKey(ring, 'ff'), failsWith('KEYRING_KEY_NEEDED'))

  assert.deepEqual(await reseal(under, ring), { resealed: 25, current: 1, refused: [] })
  assert.deepEqual(await reseal(under, ring), { resealed: 0, current: 26, refused: [] })
  ring = dropMasterKey(ring, keyring.activeId)
  for (const key of keys) assert.deepEqual((await store.read(key))!.value, bytes(key))
})

test('reseal goes on past what it cannot open, and tells it', async () => {
  const under = new MemorySecretStore()
  await sealedStore(under, newKeyring()).compareAndSet('strange', undefined, bytes('a'))
  await sealedStore(under, keyring).compareAndSet('good', undefined, bytes('b'))
  await under.compareAndSet('plain', undefined, bytes('planted secret'))
  await under.compareAndSet('moved', undefined, (await under.read('good'))!.value)
  const next = rotateKeyring(keyring)
  assert.deepEqual(await reseal(under, next), {
    resealed: 1,
    current: 0,
    refused: [
      { key: 'moved', code: 'SECRET_SEAL_BROKEN' },
      { key: 'plain', code: 'SECRET_NOT_SEALED' },
      { key: 'strange', code: 'SECRET_SEALED_BY_UNKNOWN_KEY' },
    ],
  })
  assert.deepEqual((await sealedStore(under, next).read('good'))!.value, bytes('b'))
})

test('reseal while others write loses none of their values', async () => {
  const under = new MemorySecretStore()
  const before = sealedStore(under, keyring)
  const next = rotateKeyring(keyring)
  for (let at = 0; at < 20; at++) await before.compareAndSet(`k/${at}`, undefined, bytes('0'))
  const store = sealedStore(under, next)
  const count = async () => {
    for (let at = 0; at < 60; ) {
      const read = (await store.read(`k/${at % 20}`))!
      const value = bytes(`${Number(Buffer.from(read.value).toString()) + 1}`)
      if (await store.compareAndSet(`k/${at % 20}`, read.revision, value)) at++
    }
  }
  await Promise.all([count(), reseal(under, next), count()])
  for (let at = 0; at < 20; at++) assert.deepEqual((await store.read(`k/${at}`))!.value, bytes('6'))
  assert.deepEqual((await reseal(under, next)).refused, [])
})

test('nothing secret is in any error, nor in a keyring that is printed', async () => {
  const secret = 'planted-secret-of-a-value'
  const under = new MemorySecretStore()
  const store = sealedStore(under, keyring)
  const large = Buffer.alloc(secretLimits.valueBytes + 1, secret)
  await under.compareAndSet('plain', undefined, bytes(secret))
  await under.compareAndSet('long', undefined, Buffer.alloc(1000, secret))
  await store.compareAndSet('a', undefined, bytes(secret))
  const sealed = (await under.read('a'))!
  await under.compareAndSet('moved', undefined, sealed.value)
  const acts: (() => Promise<unknown>)[] = [
    () => store.read('plain'),
    () => store.read('long'),
    () => store.read('moved'),
    () => sealedStore(under, newKeyring()).read('a'),
    () => store.compareAndSet('b', undefined, large),
    () => under.compareAndSet('b', undefined, Buffer.alloc(secretLimits.storedBytes + 1, secret)),
    () => store.read(`../${secret}`),
  ]
  const masters = [...keyring.keys.values()].map((key) => key.export())
  for (const act of acts) {
    const error = await act().then(
      () => assert.fail('it should fail'),
      (reason: unknown) => reason,
    )
    assert.ok(isFailure(error))
    const told = inspect(error, { depth: 10, maxArrayLength: null }) + error.stack + JSON.stringify(error)
    assertNoSecret(told, [Buffer.from(secret), ...masters])
  }
  assertNoSecret(inspect(keyring, { depth: 10 }) + JSON.stringify([...keyring.keys]), masters)
})

function assertNoSecret(told: string, secrets: readonly Buffer[]): void {
  for (const secret of secrets) {
    for (const encoding of ['latin1', 'hex', 'base64', 'base64url'] as const) {
      assert.ok(!told.includes(secret.toString(encoding).replace(/=+$/, '')), `a secret in ${encoding}`)
    }
  }
}
