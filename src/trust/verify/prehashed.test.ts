import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { isFailure } from '#base/index.ts'
import { isDigestSignedBy } from './prehashed.ts'

const digest = (hash: string, bytes: Uint8Array) => createHash(hash).update(bytes).digest()

const pairs: readonly (readonly [string, string, { publicKey: KeyObject; privateKey: KeyObject }])[] = [
  ['P-256', 'sha256', generateKeyPairSync('ec', { namedCurve: 'P-256' })],
  ['P-384', 'sha384', generateKeyPairSync('ec', { namedCurve: 'P-384' })],
  ['P-384 with SHA-256', 'sha256', generateKeyPairSync('ec', { namedCurve: 'P-384' })],
  ['P-521', 'sha512', generateKeyPairSync('ec', { namedCurve: 'P-521' })],
  ['P-521 with SHA-256', 'sha256', generateKeyPairSync('ec', { namedCurve: 'P-521' })],
  ['RSA', 'sha256', generateKeyPairSync('rsa', { modulusLength: 2048 })],
]

for (const [name, hash, { publicKey, privateKey }] of pairs) {
  test(`${name}: a signature is good for its digest and no other, as OpenSSL says over the bytes`, () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (bytes, others) => {
        const signature = sign(hash, bytes, privateKey)
        assert.ok(isDigestSignedBy(publicKey, hash, digest(hash, bytes), signature))
        const same = Buffer.compare(bytes, others) === 0
        assert.equal(isDigestSignedBy(publicKey, hash, digest(hash, others), signature), same)
      }),
      { numRuns: 8 },
    )
  })

  test(`${name}: a signature changed anywhere is judged as OpenSSL judges it`, () => {
    const bytes = Buffer.from('content')
    const signature = sign(hash, bytes, privateKey)
    fc.assert(
      fc.property(fc.nat(signature.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(signature)
        changed[at] = changed[at]! ^ flip
        const byBytes = verify(hash, bytes, publicKey, changed)
        assert.equal(isDigestSignedBy(publicKey, hash, digest(hash, bytes), changed), byBytes)
      }),
      { numRuns: 15 },
    )
  })

  test(`${name}: another key's signature is not good`, () => {
    const bytes = Buffer.from('content')
    const { privateKey: other } =
      name === 'RSA'
        ? generateKeyPairSync('rsa', { modulusLength: 2048 })
        : generateKeyPairSync('ec', { namedCurve: name.slice(0, 5) })
    assert.equal(isDigestSignedBy(publicKey, hash, digest(hash, bytes), sign(hash, bytes, other)), false)
  })
}

test('the digest that the mirrored key would sign is refused: which of two points it is, is decided', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const bytes = Buffer.from('content')
  const own = BigInt(`0x${digest('sha256', bytes).toString('hex')}`) % order
  const mirrored = Buffer.from((order - own).toString(16).padStart(64, '0'), 'hex')
  const signature = sign('sha256', bytes, privateKey)
  assert.equal(isDigestSignedBy(publicKey, 'sha256', mirrored, signature), false)
})

test('r and s outside of the group, wrong forms and empty signatures are refused without a throw', () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const order = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'
  for (const hexadecimal of [
    '',
    '3000',
    '3003020101',
    '3006020100020101',
    '3006020101020100',
    '3006020101020181',
    '300702020001020101',
    '3009020101020101020101',
    `3026022100${order}020101`,
    `3026020101022100${order}`,
    '30060201010201010000',
  ]) {
    const signature = Buffer.from(hexadecimal, 'hex')
    assert.equal(isDigestSignedBy(publicKey, 'sha256', Buffer.alloc(32, 7), signature), false, hexadecimal)
  }
})

test('Ed25519, and a digest of a kind that the key does not sign, need the bytes', () => {
  const needsBytes = (error: unknown) => isFailure(error, 'SUBJECT_BYTES_NEEDED')
  const ed25519 = generateKeyPairSync('ed25519').publicKey
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey
  assert.throws(() => isDigestSignedBy(ed25519, 'sha256', Buffer.alloc(32), Buffer.alloc(64)), needsBytes)
  assert.throws(() => isDigestSignedBy(p256, 'sha512', Buffer.alloc(64), Buffer.alloc(70)), needsBytes)
})
