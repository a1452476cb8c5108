import assert from 'node:assert/strict'
import crypto from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isFailure, leaseLimits } from '#base/index.ts'
import { formatPem, generateKeyPair, parsePem } from '#keys/index.ts'
import { makeNodeKey, nodePrivateKeyPem, nodePublicKeyPem, parseNodePublicKey } from './node-key.ts'
import { nebulaSigningKeyPem, parseNebulaSigningKey } from './signing-key.ts'

const refused = (code: string) => (error: unknown) => isFailure(error, code)
const password = Buffer.from('correct horse')
const cost = { kibibytes: 64, passes: 1, lanes: 2 }
const skip = typeof crypto.argon2 === 'function' ? false : 'this Node has no argon2'

describe('keys of authorities', () => {
  for (const algorithm of ['ed25519', 'ecdsa-p256'] as const) {
    test(`${algorithm}: come back from their files`, async () => {
      const { privateKey } = await generateKeyPair(algorithm)
      const found = await parseNebulaSigningKey(await nebulaSigningKeyPem(privateKey))
      assert.ok(found.privateKey.equals(privateKey))
    })

    test(`${algorithm}: encrypted files open with their password alone`, { skip }, async () => {
      const { privateKey } = await generateKeyPair(algorithm)
      const pem = await nebulaSigningKeyPem(privateKey, { password, cost })
      assert.ok((await parseNebulaSigningKey(pem, password)).privateKey.equals(privateKey))
      await assert.rejects(parseNebulaSigningKey(pem), refused('NEBULA_KEY_REFUSED'))
      await assert.rejects(parseNebulaSigningKey(pem, Buffer.from('x')), refused('NEBULA_KEY_REFUSED'))
      for (const less of [{ argonKibibytes: 63 }, { argonPasses: 0 }, { argonLanes: 1 }]) {
        await assert.rejects(
          parseNebulaSigningKey(pem, password, { ...leaseLimits, ...less }),
          refused('NEBULA_KEY_REFUSED'),
        )
      }
      const exact = { ...leaseLimits, argonKibibytes: 64, argonPasses: 1, argonLanes: 2 }
      assert.ok(await parseNebulaSigningKey(pem, password, exact))
    })
  }

  test('a file whose halves do not belong together is refused', async () => {
    const seed = async () =>
      parsePem(await nebulaSigningKeyPem((await generateKeyPair('ed25519')).privateKey))[0]!.bytes
    const mixed = Buffer.concat([(await seed()).subarray(0, 32), (await seed()).subarray(32)])
    const pem = formatPem('NEBULA ED25519 PRIVATE KEY', mixed)
    await assert.rejects(parseNebulaSigningKey(pem), refused('NEBULA_KEY_INVALID'))
  })

  test('any bytes under any label are a key or refused, and nothing of them is told', async () => {
    const label = fc.constantFrom(
      'NEBULA ED25519 PRIVATE KEY',
      'NEBULA ECDSA P256 PRIVATE KEY',
      'NEBULA ED25519 ENCRYPTED PRIVATE KEY',
      'NEBULA X25519 PRIVATE KEY',
    )
    const small = { ...leaseLimits, argonKibibytes: 0 }
    await fc.assert(
      fc.asyncProperty(label, fc.uint8Array({ maxLength: 80 }), async (of, bytes) => {
        try {
          await parseNebulaSigningKey(formatPem(of, bytes), password, small)
        } catch (error) {
          assert.ok(
            isFailure(error, 'NEBULA_KEY_INVALID') || isFailure(error, 'NEBULA_KEY_REFUSED'),
            String(error),
          )
          assert.equal(error.cause, undefined)
        }
      }),
    )
  })
})

describe('keys of nodes', () => {
  test('are made of the bytes that are given, and their public half comes back', () => {
    for (const curve of ['CURVE25519', 'P256'] as const) {
      const key = makeNodeKey(curve, (bytes) => Buffer.alloc(bytes, 7))
      assert.deepEqual(
        makeNodeKey(curve, (bytes) => Buffer.alloc(bytes, 7)),
        key,
      )
      const found = parseNodePublicKey(nodePublicKeyPem(curve, key.publicKey))
      assert.deepEqual([found.curve, Buffer.from(found.publicKey)], [curve, Buffer.from(key.publicKey)])
      assert.throws(() => parseNodePublicKey(nodePrivateKeyPem(key)), refused('NEBULA_KEY_INVALID'))
    }
    assert.throws(() => makeNodeKey('P256', (bytes) => Buffer.alloc(bytes)), refused('NEBULA_KEY_INVALID'))
  })
})
