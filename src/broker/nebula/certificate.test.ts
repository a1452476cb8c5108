import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isFailure, leaseLimits } from '#base/index.ts'
import { formatPem } from '#keys/index.ts'
import type { Network } from '../leases/index.ts'
import {
  fingerprintOf,
  formatNebulaCertificate,
  type NebulaCertificate,
  nebulaPem,
  parseNebulaCertificate,
  parseNebulaPem,
} from './certificate.ts'
import { checkNebulaAuthority } from './verify.ts'

const refused = (code: string) => (error: unknown) => isFailure(error, code)

const v4 = fc
  .tuple(fc.bigInt(1n, 2n ** 32n - 1n), fc.nat(32))
  .map(([address, bits]): Network => ({ family: 4, address, bits }))
const v6 = fc
  .tuple(fc.bigInt(2n ** 64n, 2n ** 128n - 1n), fc.nat(128))
  .map(([address, bits]): Network => ({ family: 6, address, bits }))
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
const key = (network: Network) => `${network.family}/${network.address}/${network.bits}`
const networks = (of: fc.Arbitrary<Network>, minLength: number) =>
  fc
    .uniqueArray(of, { minLength, maxLength: 5, selector: key })
    .map((list) =>
      [...list].sort(
        (a, b) =>
          a.family - b.family || (a.address < b.address ? -1 : a.address > b.address ? 1 : a.bits - b.bits),
      ),
    )
const seconds = fc.integer({ min: 0, max: 8_640_000_000_000 })

const certificates = fc
  .record(
    {
      version: fc.constantFrom(1 as const, 2 as const),
      curve: fc.constantFrom('CURVE25519' as const, 'P256' as const),
      isCa: fc.boolean(),
      name: text,
      groups: fc.array(text, { maxLength: 4 }),
      notBefore: seconds,
      notAfter: seconds,
      signature: fc.uint8Array({ minLength: 1, maxLength: 72 }),
      issuer: bytes(32).map((of) => Buffer.from(of).toString('hex')),
    },
    { noNullPrototype: true },
  )
  .chain(({ issuer, ...record }) =>
    fc
      .tuple(
        bytes(record.curve === 'P256' ? 65 : 32),
        networks(record.version === 1 ? v4 : fc.oneof(v4, v6), 1),
        networks(v4, 0),
      )
      .map(([publicKey, own, unsafe]): NebulaCertificate => {
        const routes = own.some(({ family }) => family === 4) || record.isCa ? unsafe : []
        const rest = record.isCa ? {} : { issuer }
        return { ...record, ...rest, publicKey, networks: own, unsafeNetworks: routes }
      }),
  )

const plain = (certificate: NebulaCertificate) => ({
  ...certificate,
  publicKey: Buffer.from(certificate.publicKey).toString('hex'),
  signature: Buffer.from(certificate.signature).toString('hex'),
})

describe('Nebula certificates', () => {
  test('every one comes back from its bytes and its PEM', () => {
    fc.assert(
      fc.property(certificates, (certificate) => {
        const found = parseNebulaCertificate(certificate.version, formatNebulaCertificate(certificate))
        assert.deepEqual(plain(found), plain(certificate))
        assert.equal(fingerprintOf(parseNebulaPem(nebulaPem(certificate))[0]!), fingerprintOf(certificate))
      }),
      { numRuns: 300 },
    )
  })

  test('any bytes are a certificate in its only encoding, or refused', () => {
    const changed = certificates.chain((certificate) => {
      const good = formatNebulaCertificate(certificate)
      return fc
        .tuple(fc.nat(good.length - 1), fc.nat(255), fc.constantFrom('set', 'insert', 'cut', 'append'))
        .map(([at, byte, how]) => {
          const whole = Buffer.from(good)
          const one = Buffer.from([byte])
          if (how === 'cut') return whole.subarray(0, at)
          if (how === 'append') return Buffer.concat([whole, one])
          return Buffer.concat([whole.subarray(0, at), one, whole.subarray(how === 'set' ? at + 1 : at)])
        })
    })
    fc.assert(
      fc.property(
        fc.constantFrom(1 as const, 2 as const),
        fc.oneof(changed, fc.uint8Array({ maxLength: 200 })),
        (version, input) => {
          try {
            const found = parseNebulaCertificate(version, input)
            assert.deepEqual(Buffer.from(formatNebulaCertificate(found)), Buffer.from(input))
          } catch (error) {
            assert.ok(isFailure(error, 'NEBULA_CERTIFICATE_INVALID'), String(error))
          }
        },
      ),
      { numRuns: 1000 },
    )
  })

  test('as large, and with as many entries, as the limits say', () => {
    const certificate: NebulaCertificate = {
      version: 2,
      curve: 'CURVE25519',
      name: 'n',
      networks: [1n, 2n].map((address) => ({ family: 4, address, bits: 8 })),
      unsafeNetworks: [],
      groups: [],
      isCa: true,
      notBefore: 1,
      notAfter: 2,
      publicKey: new Uint8Array(32),
      signature: new Uint8Array(64),
    }
    for (const version of [1, 2] as const) {
      const whole = formatNebulaCertificate({ ...certificate, version })
      const exact = { ...leaseLimits, certificateBytes: whole.length, certificateEntries: 2 }
      assert.ok(parseNebulaCertificate(version, whole, exact))
      for (const less of [{ certificateBytes: whole.length - 1 }, { certificateEntries: 1 }]) {
        assert.throws(
          () => parseNebulaCertificate(version, whole, { ...exact, ...less }),
          refused('NEBULA_CERTIFICATE_INVALID'),
        )
      }
    }
  })

  test('PEM of something else, or of the other version, is refused', () => {
    const bad = [
      '',
      'x',
      formatPem('NEBULA CERTIFICATE', Buffer.alloc(9)),
      formatPem('CERTIFICATE', Buffer.alloc(9)),
    ]
    for (const pem of bad) assert.throws(() => parseNebulaPem(pem), refused('NEBULA_CERTIFICATE_INVALID'))
  })

  const folder = `${import.meta.dirname}/../../../../shared/vectors/confidential/nebula`
  const skip = existsSync(folder) ? false : 'the shared vectors are not here'
  test('published authorities signed themselves', { skip }, () => {
    for (const name of ['ca_pool-01', 'ca_pool-02', 'ca_pool-03', 'ca_pool-04', 'pem-01']) {
      const [ca] = parseNebulaPem(readFileSync(`${folder}/${name}-NEBULA_CERTIFICATE.pem`, 'utf8'))
      checkNebulaAuthority(ca!)
      assert.throws(
        () => checkNebulaAuthority({ ...ca!, notAfter: ca!.notAfter + 1 }),
        refused('NEBULA_CERTIFICATE_REFUSED'),
      )
    }
  })
})
