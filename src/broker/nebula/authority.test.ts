import assert from 'node:assert/strict'
import { sign } from 'node:crypto'
import { describe, test } from 'node:test'
import { isFailure } from '#base/index.ts'
import { generateKeyPair, privateKeySigner } from '#keys/index.ts'
import { parseNetwork } from '../leases/index.ts'
import { createNebulaAuthority, type NebulaAuthorityTerms, openNebulaAuthority } from './authority.ts'
import { fingerprintsOf, type NebulaCertificate, type NebulaVersion } from './certificate.ts'
import { checkNodePublicKey, makeNodeKey, type NebulaCurve } from './node-key.ts'
import { isSignedBy, lowS, otherForm } from './signature.ts'
import { verifyNebulaCertificate } from './verify.ts'

const refused = (code: string) => (error: unknown) => isFailure(error, code)
const at = (seconds: number) => new Date(1_800_000_000_000 + seconds * 1000)
const networks = (...texts: string[]) => texts.map(parseNetwork)

async function open(curve: NebulaCurve = 'CURVE25519', more: Partial<NebulaAuthorityTerms> = {}) {
  const { privateKey } = await generateKeyPair(curve === 'P256' ? 'ecdsa-p256' : 'ed25519')
  const signer = privateKeySigner(privateKey)
  const life = { notBefore: at(0), notAfter: at(1000) }
  return await createNebulaAuthority({ version: 2, name: 'ca', ...life, signer, ...more })
}

const leaf = (curve: NebulaCurve = 'CURVE25519') => ({
  name: 'n',
  networks: networks('10.0.0.1/16'),
  notBefore: at(1),
  notAfter: at(100),
  publicKey: makeNodeKey(curve).publicKey,
})

describe('an authority of Nebula', () => {
  for (const curve of ['CURVE25519', 'P256'] as const) {
    test(`${curve}: what it issues is good in its time, until it is revoked`, async () => {
      const ca = await open(curve)
      const found = await ca.issue(leaf(curve))
      const trusted = [ca.certificate]
      const check = (seconds: number, blocked?: Set<string>, of: NebulaCertificate = found) =>
        verifyNebulaCertificate(of, trusted, at(seconds), blocked)
      assert.equal(check(50), ca.certificate)
      assert.equal(check(1), ca.certificate)
      assert.equal(check(100), ca.certificate)
      for (const seconds of [0, 101])
        assert.throws(() => check(seconds), refused('NEBULA_CERTIFICATE_REFUSED'))
      for (const fingerprint of fingerprintsOf(found)) {
        assert.throws(() => check(50, new Set([fingerprint])), refused('NEBULA_CERTIFICATE_REFUSED'))
      }
      for (const changed of [{ name: 'x' }, { groups: ['admin'] }, { notAfter: found.notAfter + 1 }]) {
        assert.throws(
          () => check(50, undefined, { ...found, ...changed }),
          refused('NEBULA_CERTIFICATE_REFUSED'),
        )
      }
    })
  }

  test('two are trusted while one follows the other', async () => {
    const [before, after] = [await open(), await open('P256')]
    const trusted = [before.certificate, after.certificate]
    const [first, second] = [await before.issue(leaf()), await after.issue(leaf('P256'))]
    for (const found of [first, second]) verifyNebulaCertificate(found, trusted, at(50))
    assert.throws(
      () => verifyNebulaCertificate(first, [after.certificate], at(50)),
      refused('NEBULA_CERTIFICATE_REFUSED'),
    )
  })

  test('what goes beyond its constraints is not issued', async () => {
    const ca = await open('CURVE25519', {
      networks: networks('10.0.0.0/16'),
      unsafeNetworks: networks('192.168.0.0/16'),
      groups: ['web'],
    })
    assert.ok(await ca.issue({ ...leaf(), groups: ['web'], unsafeNetworks: networks('192.168.1.0/24') }))
    const bad = [
      { notAfter: at(1001) },
      { notBefore: at(-1) },
      { notAfter: at(1) },
      { groups: ['db'] },
      { groups: ['web', ''] },
      { networks: networks('10.1.0.1/16') },
      { networks: networks('10.0.0.1/8') },
      { networks: [] },
      { networks: networks('10.0.0.1/16', '10.0.0.1/16') },
      { unsafeNetworks: networks('172.16.0.0/12') },
      { name: '' },
      { name: 'n'.repeat(254) },
      { version: 1 as NebulaVersion, networks: networks('fd00::1/64') },
    ]
    for (const change of bad) {
      await assert.rejects(
        ca.issue({ ...leaf(), ...change }),
        refused('NEBULA_TERMS_INVALID'),
        JSON.stringify(Object.keys(change)),
      )
    }
  })

  test('a node key of another curve is not certified', async () => {
    const terms = { ...leaf(), publicKey: makeNodeKey('P256').publicKey }
    await assert.rejects((await open()).issue(terms), refused('NEBULA_KEY_INVALID'))
  })

  test('without an end, a certificate ends a second before its authority', async () => {
    const ca = await open()
    const { notAfter: _, ...terms } = leaf()
    assert.equal((await ca.issue(terms)).notAfter, ca.certificate.notAfter - 1)
  })

  test('another’s key does not sign for it, and RSA for none', async () => {
    const ca = await open()
    const { privateKey } = await generateKeyPair('ed25519')
    const wrong = openNebulaAuthority(ca.certificate, privateKeySigner(privateKey))
    await assert.rejects(wrong.issue(leaf()), refused('NEBULA_TERMS_INVALID'))
    const other = await generateKeyPair('ecdsa-p384')
    await assert.rejects(
      open('CURVE25519', { signer: privateKeySigner(other.privateKey) }),
      refused('NEBULA_TERMS_INVALID'),
    )
    const found = await ca.issue(leaf())
    assert.throws(
      () => openNebulaAuthority(found, privateKeySigner(privateKey)),
      refused('NEBULA_CERTIFICATE_REFUSED'),
    )
  })

  test('of the two forms of an ECDSA signature the one with the low s is written', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ecdsa-p256')
    const key = publicKey.spki.subarray(-65)
    for (let i = 0; i < 50; i++) {
      const message = Buffer.from(`${i}`)
      const signature = sign('sha256', message, privateKey)
      const low = lowS(signature)
      assert.deepEqual(Buffer.from(lowS(otherForm(low))), Buffer.from(low))
      assert.deepEqual(Buffer.from(otherForm(otherForm(signature))), Buffer.from(signature))
      for (const form of [low, otherForm(low)]) assert.ok(isSignedBy('P256', key, message, form))
    }
  })

  test('public keys that are no points, or with which all agreements are the same, are refused', () => {
    const order8 = 'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800'
    const bad: [NebulaCurve, Uint8Array][] = [
      ['CURVE25519', new Uint8Array(32)],
      ['CURVE25519', Buffer.from(order8, 'hex')],
      ['CURVE25519', new Uint8Array(31).fill(9)],
      ['P256', new Uint8Array(65)],
      ['P256', new Uint8Array(65).fill(4)],
      ['P256', makeNodeKey('P256').publicKey.subarray(0, 64)],
    ]
    for (const [curve, key] of bad)
      assert.throws(() => checkNodePublicKey(curve, key), refused('NEBULA_KEY_INVALID'))
    for (const curve of ['CURVE25519', 'P256'] as const)
      checkNodePublicKey(curve, makeNodeKey(curve).publicKey)
  })
})
