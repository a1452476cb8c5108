import assert from 'node:assert/strict'
import { createSecretKey, sign } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { generateKeyPair, keyAlgorithms, keyVerifier, privateKeySigner } from './index.ts'

const message = Buffer.from('what is signed')

test('every algorithm verifies what it signed, and nothing else', async () => {
  for (const algorithm of keyAlgorithms) {
    const { privateKey, publicKey } = await generateKeyPair(algorithm, 2048)
    const { bytes, key } = await privateKeySigner(privateKey).sign(message)
    assert.equal(key.id, publicKey.id)
    const verifier = keyVerifier(publicKey)
    await verifier.verify(message, bytes)
    const refused = { code: 'SIGNATURE_INVALID' }
    await assert.rejects(verifier.verify(Buffer.from('another'), bytes), refused)
    await assert.rejects(verifier.verify(message, new Uint8Array()), refused)
    await assert.rejects(verifier.verify(message, bytes.subarray(1)), refused)
    await assert.rejects(verifier.verify(message, Buffer.concat([bytes, Buffer.from([0])])), refused)
    const other = await generateKeyPair(algorithm, 2048)
    await assert.rejects(keyVerifier(other.publicKey).verify(message, bytes), refused)
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
        const changed = Uint8Array.from(bytes)
        changed[at]! ^= mask
        await assert.rejects(verifier.verify(message, changed), refused)
      }),
      { numRuns: 25 },
    )
  }
})

test('the hash goes with the algorithm: a signature over another is none', async () => {
  for (const [algorithm, hash] of [
    ['ecdsa-p384', 'sha256'],
    ['ecdsa-p521', 'sha256'],
    ['rsa', 'sha512'],
    ['ecdsa-p256', 'sha1'],
  ] as const) {
    const { privateKey, publicKey } = await generateKeyPair(algorithm, 2048)
    const { verify } = keyVerifier(publicKey)
    await assert.rejects(verify(message, sign(hash, message, privateKey)), { code: 'SIGNATURE_INVALID' })
  }
})

test('ECDSA is in DER; the form of IEEE P1363 is refused', async () => {
  const { privateKey, publicKey } = await generateKeyPair('ecdsa-p256')
  const raw = sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' })
  await assert.rejects(keyVerifier(publicKey).verify(message, raw), { code: 'SIGNATURE_INVALID' })
})

test('only a private key signs', async () => {
  const { publicKey } = await generateKeyPair('ed25519')
  assert.throws(() => privateKeySigner(publicKey.key), { code: 'KEY_TYPE_REFUSED' })
  assert.throws(() => privateKeySigner(createSecretKey(Buffer.alloc(32))), { code: 'KEY_TYPE_REFUSED' })
})
