import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { pkiLimits, SealiftError } from '#base/index.ts'
import { certificateRequest } from '../../../test/support/certificate-request.ts'
import { guest, made, open, request, signal, signed, start } from '../../../test/support/pki-scene.ts'
import { problems } from './problems.ts'

const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const web = { profile: 'web' }
const csr = certificateRequest(key, { dns: ['a.shop.example'], ip: ['10.1.2.3'] })
const pki = open()

/** A refusal that callers are told, with a code: never a fault, never an answer of 500. */
const isRefusal = (error: unknown) => error instanceof SealiftError && Object.hasOwn(problems, error.code)

test('a request whose bytes were changed gets no certificate', async () => {
  const change = fc.tuple(fc.nat(csr.length - 1), fc.integer({ min: 1, max: 255 }))
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), fc.nat(3), async (changes, cut) => {
      const bytes = Uint8Array.from(csr.subarray(0, csr.length - (cut === 3 ? 7 : 0)))
      for (const [at, mask] of changes) if (at < bytes.length) bytes[at]! ^= mask
      if (Buffer.from(bytes).equals(csr)) return
      await assert.rejects(signed(pki, web, bytes), isRefusal)
    }),
  )
})

test('a request with any names gets these, where they are permitted, and no others', async () => {
  const name = fc.oneof(
    fc.constantFrom('a.shop.example', 'B.Shop.Example', 'ada.guests.shop.example', 'bob.guests.shop.example'),
    fc
      .string({ unit: fc.constantFrom(...'ab.-*\0 ,{}'), maxLength: 12 })
      .map((text) => `${text}.shop.example`),
    fc.webUrl(),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(name, { maxLength: 4 }), fc.option(name), async (dns, commonName) => {
      const asked = certificateRequest(key, { dns, ...(commonName !== null && { commonName }) })
      const told = request('POST', 'certificate', web, guest(), asked)
      try {
        const { x509 } = await signed(pki, web, asked)
        const names = (x509.subjectAltName ?? '').split(', ').filter((text) => text.startsWith('DNS:'))
        const expected = [...new Set(dns.map((text) => `DNS:${text.toLowerCase()}`))].sort()
        assert.deepEqual(names, expected)
        assert.ok(names.every((text) => /^DNS:([a-z0-9-]+|ada\.guests)\.shop\.example$/.test(text)))
        assert.equal(x509.subject, undefined)
        assert.deepEqual((pki.plugin.policyData!(told).pki as { dns: string[] }).dns.length, expected.length)
      } catch (error) {
        assert.ok(isRefusal(error), String(error))
        assert.throws(() => pki.plugin.policyData!(told), isRefusal)
      }
    }),
    { numRuns: 60 },
  )
})

test('a query of any texts is answered or refused with a code', async () => {
  const word = fc.oneof(
    fc.constantFrom('web', 'guest', '1', '0.5', '-1', 'Infinity', '{identity}'),
    fc.string(),
  )
  const names = fc.constantFrom('profile', 'dns', 'ip', 'hours', '__proto__', 'constructor', 'Profile')
  await fc.assert(
    fc.asyncProperty(fc.dictionary(names, word), async (query) => {
      await pki.plugin
        .handle(request('GET', 'certificate', query), start, signal)
        .catch((error: unknown) => assert.ok(isRefusal(error), String(error)))
    }),
    { numRuns: 60 },
  )
})

test('a request of the largest size is read, and one beyond is not', async () => {
  const limits = { ...pkiLimits, requestBytes: csr.length, namesLength: 14 }
  const small = open(undefined, {}, { limits })
  await signed(small, web, csr)
  const larger = certificateRequest(key, { dns: ['a.shop.example'], ip: ['10.1.2.3'], commonName: 'a' })
  await assert.rejects(signed(small, web, larger), { code: 'CERTIFICATE_REQUEST_INVALID' })
  await made(small, { ...web, dns: 'a.shop.example' })
  await assert.rejects(made(small, { ...web, dns: 'ab.shop.example' }), { code: 'PKI_REQUEST_INVALID' })
})
