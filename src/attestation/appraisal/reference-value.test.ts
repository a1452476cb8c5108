import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { attestationLimits, isFailure, type Json } from '#base/index.ts'
import { formatReferenceValue, parseReferenceMessage, parseReferenceValue } from './index.ts'

const code = (error: unknown) => isFailure(error, 'REFERENCE_VALUE_INVALID')
const at = new Date('2026-11-21T12:00:00.500Z')
const payload = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64')
const message = (changes: object = {}) =>
  Buffer.from(
    JSON.stringify({ version: '0.1.0', type: 'sample', payload: payload({ svn: ['1'] }), ...changes }),
  )

test('a message gives values that hold for a year', () => {
  const read = parseReferenceMessage(message({ payload: payload({ svn: ['1'], 'a/b': { c: null } }) }), at)
  const expiration = new Date('2027-11-21T12:00:00Z')
  assert.deepEqual(read, [
    { name: 'svn', value: ['1'], expiration },
    { name: 'a/b', value: { c: null }, expiration },
  ])
  assert.deepEqual(parseReferenceMessage(message({ version: undefined }), at).length, 1)
})

test('a year from the last day of February ends in February', () => {
  const [leap] = parseReferenceMessage(message(), new Date('2028-02-29T00:00:00Z'))
  assert.deepEqual(leap!.expiration, new Date('2029-02-28T00:00:00Z'))
})

test('messages that are malformed are refused', () => {
  for (const bad of [
    { version: '0.2.0' },
    { version: 1 },
    { type: 'corim' },
    { type: 'other' },
    { type: undefined },
    { payload: undefined },
    { payload: '!' },
    { payload: 'e30' },
    { payload: payload([]) },
    { payload: payload('x') },
    { payload: payload({ '': 1 }) },
    { payload: payload({ 'a\nb': 1 }) },
    { payload: payload({ ['x'.repeat(1025)]: 1 }) },
    { payload: Buffer.from('{"a":1,"a":2}').toString('base64') },
  ]) {
    assert.throws(() => parseReferenceMessage(message(bad), at), code, JSON.stringify(bad))
  }
  const two = message({ payload: payload({ a: 1, b: 2 }) })
  parseReferenceMessage(two, at, { ...attestationLimits, referenceValues: 2 })
  assert.throws(() => parseReferenceMessage(two, at, { ...attestationLimits, referenceValues: 1 }), code)
})

test('the stored form is that of Trustee', () => {
  const value = { name: 'artifact', value: 'abc', expiration: new Date(0) }
  const stored = formatReferenceValue(value)
  assert.equal(
    Buffer.from(stored).toString(),
    '{"version":"0.1.0","name":"artifact","expiration":"1970-01-01T00:00:00Z","value":"abc"}',
  )
  assert.deepEqual(parseReferenceValue(stored), value)
})

test('a stored value that was damaged is refused', () => {
  const good = { version: '0.1.0', name: 'a', expiration: '2027-01-01T00:00:00Z', value: 1 }
  assert.equal(parseReferenceValue(Buffer.from(JSON.stringify(good))).value, 1)
  for (const bad of [
    { ...good, version: '9' },
    { ...good, name: '' },
    { ...good, name: 1 },
    { ...good, value: undefined },
    { ...good, expiration: 'tomorrow' },
    { ...good, expiration: '2027-13-01T00:00:00Z' },
    { ...good, expiration: 5 },
  ]) {
    assert.throws(() => parseReferenceValue(Buffer.from(JSON.stringify(bad))), code, JSON.stringify(bad))
  }
})

test('no bytes make the parsers do anything but answer or refuse', () => {
  const object = fc.dictionary(
    fc.constantFrom('version', 'type', 'payload', 'name', 'value', 'expiration'),
    fc.jsonValue(),
  )
  const input = fc.oneof(
    fc.uint8Array(),
    object.map((value) => Buffer.from(JSON.stringify(value))),
    fc.jsonValue().map((value) => message({ payload: payload(value as Json) })),
  )
  fc.assert(
    fc.property(input, (bytes) => {
      for (const step of [() => parseReferenceMessage(bytes, at), () => parseReferenceValue(bytes)]) {
        try {
          step()
        } catch (error) {
          assert.ok(isFailure(error), String(error))
        }
      }
    }),
    { numRuns: 200 },
  )
})
