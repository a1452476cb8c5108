import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isFailure, SealiftError } from '#base/index.ts'
import { digestOf } from '#oci/index.ts'
import { type AuditRecord, type DecisionRecord, parseRecord, recordBytes } from './record.ts'

const digest = digestOf(Buffer.from('x'))
const decision: DecisionRecord = {
  type: 'decision',
  at: '2026-11-21T06:00:00.000Z',
  action: 'install',
  environment: 'production',
  principal: { kind: 'user', name: 'ann', groups: ['ops'] },
  roles: ['operator'],
  subjects: [
    {
      digest,
      reference: 'registry.example/shop/web:1',
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      evidence: digest,
      within: [digest],
    },
  ],
  context: { bundle: 'shop' },
  policy: digest,
  trust: digest,
  allowed: false,
  reasons: [{ code: 'SIGNATURE_MISSING', message: 'none', subject: digest }],
  decision: digest,
  validUntil: '2027-01-01T00:00:00.000Z',
}
const invalid = (error: unknown) => isFailure(error, 'RECORD_INVALID')

test('what is written is read back the same', () => {
  const access: AuditRecord = {
    type: 'access',
    at: decision.at,
    principal: { kind: 'anonymous', name: '' },
    verb: 'pull',
    repository: 'shop/web',
    reference: '1',
    allowed: true,
  }
  for (const record of [decision, access]) assert.deepEqual(parseRecord(recordBytes(record)), record)
})

test('what could not be read back is not written', () => {
  const bad: Partial<DecisionRecord>[] = [
    { validUntil: '+010000-01-01T00:00:00.000Z' },
    { principal: { kind: 'user', name: 'n'.repeat(8193) } },
    { subjects: [{ ...decision.subjects[0]!, reference: 'r'.repeat(8193) }] },
    { action: 'eat' as 'install' },
  ]
  for (const change of bad) assert.throws(() => recordBytes({ ...decision, ...change }), invalid)
})

test('any bytes are a record or refused', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.json().map((text) => Buffer.from(text)),
      ),
      (bytes) => {
        try {
          parseRecord(bytes)
          assert.fail('no such bytes are a record')
        } catch (error) {
          assert.ok(error instanceof SealiftError && error.code === 'RECORD_INVALID', String(error))
        }
      },
    ),
  )
})
