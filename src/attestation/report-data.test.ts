import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { canonicalJson } from '#base/index.ts'
import { deviceReportData, fitReportData, primaryReportData } from './report-data.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const hash = (name: string, text: string) => createHash(name).update(text).digest('hex')
const data = {
  nonce: 'bm9uY2U=',
  teePubkey: { kty: 'EC', crv: 'P-256', x: 'eA', alg: 'A' },
  additionalEvidence: '{}',
}
const jwk = '{"alg":"A","crv":"P-256","kty":"EC","x":"eA"}'

test('canonical JSON is hashed as Trustee does', () => {
  const canonical = canonicalJson({ c: { d: 'e' }, b: 1, a: 'test' })
  assert.equal(
    createHash('sha384').update(canonical).digest('hex'),
    'e71ce8e70d814ba6639c3612ebee0ff1f76f650f8dbb5e47157e0f3f525cd22c4597480a186427c813ca941da78870c3',
  )
})

test('primary evidence is bound to the devices from 0.4.0 on, and before to nonce and key alone', () => {
  const plain = hash('sha384', `{"nonce":"bm9uY2U=","tee-pubkey":${jwk}}`)
  for (const version of ['0.1.0', '0.1.1', '0.2.0'] as const) {
    assert.equal(hex(primaryReportData(version, 'snp', data)), plain)
  }
  assert.equal(
    hex(primaryReportData('0.4.0', 'snp', data)),
    hash('sha384', `{"additional-evidence":"{}","nonce":"bm9uY2U=","tee-pubkey":${jwk}}`),
  )
  assert.equal(hex(deviceReportData('snp', data)), plain)
})

test('the member of additional evidence is there even where there is none', () => {
  const { additionalEvidence: _, ...without } = data
  assert.equal(
    hex(primaryReportData('0.4.0', 'snp', without)),
    hash('sha384', `{"additional-evidence":"","nonce":"bm9uY2U=","tee-pubkey":${jwk}}`),
  )
})

test('IBM SE hashes with SHA-512, and took the nonce itself before', () => {
  const text = `{"additional-evidence":"{}","nonce":"bm9uY2U=","tee-pubkey":${jwk}}`
  assert.equal(hex(primaryReportData('0.4.0', 'se', data)), hash('sha512', text))
  assert.equal(hex(primaryReportData('0.2.0', 'se', data)), hex(Buffer.from('bm9uY2U=')))
})

test('report data fits into the report of its TEE', () => {
  const digest = Buffer.alloc(48, 7)
  for (const tee of ['snp', 'tdx', 'sgx', 'csv'] as const) {
    assert.equal(hex(fitReportData(tee, digest)), '07'.repeat(48) + '00'.repeat(16))
  }
  assert.equal(hex(fitReportData('tpm', digest)), '07'.repeat(32))
  for (const tee of ['az-snp-vtpm', 'az-tdx-vtpm', 'sample'] as const) {
    assert.equal(hex(fitReportData(tee, digest)), '07'.repeat(48))
  }
  assert.equal(fitReportData('snp', Buffer.alloc(80, 1)).length, 64)
})
