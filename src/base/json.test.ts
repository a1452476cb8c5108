import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalJson, type Json, parseJson } from './json.ts'

const parse = (text: string, maxBytes = 1000, maxDepth = 10) =>
  parseJson(Buffer.from(text), { maxBytes, maxDepth })

test('what JSON.stringify writes is read back as the same value', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      const text = JSON.stringify(value)
      if (text.includes('__proto__')) return
      assert.deepEqual(parse(text, 1_000_000), JSON.parse(text))
    }),
  )
})

test('canonical JSON does not depend on the order of keys', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.integer()), (object) => {
      const reversed = Object.fromEntries(Object.entries(object).reverse())
      assert.deepEqual(canonicalJson(object), canonicalJson(reversed))
    }),
  )
  assert.equal(
    Buffer.from(canonicalJson({ b: 5.5, a: [1e21, '\u20ac'] })).toString(),
    '{"a":[1e+21,"€"],"b":5.5}',
  )
})

test('sizes and depths are refused one beyond the limit, and taken at it', () => {
  assert.deepEqual(parse('[1]', 3), [1])
  assert.throws(() => parse('[1]', 2), { code: 'JSON_TOO_LARGE' })
  assert.deepEqual(parse('[[1]]', 100, 2), [[1]])
  assert.throws(() => parse('[[[1]]]', 100, 2), { code: 'JSON_TOO_DEEP' })
  assert.throws(() => parse('['.repeat(900_000), 1_000_000, 64), { code: 'JSON_TOO_DEEP' })
  assert.deepEqual(parse('"[[[["', 100, 2), '[[[[')
})

test('a key twice, or __proto__ however it is spelled, is refused', () => {
  assert.throws(() => parse('{"a":1,"a":2}'), { code: 'JSON_FORBIDDEN_KEY' })
  assert.throws(() => parse('{"a":1,"\\u0061":2}'), { code: 'JSON_FORBIDDEN_KEY' })
  assert.throws(() => parse('[{"x":{"__proto__":{"admin":true}}}]'), { code: 'JSON_FORBIDDEN_KEY' })
  assert.throws(() => parse('{"\\u005f_proto__":1}'), { code: 'JSON_FORBIDDEN_KEY' })
  assert.deepEqual(parse('{"a":{"a":":"}}') as Json, { a: { a: ':' } })
})

test('half of a surrogate pair is refused, in texts and in keys, read and written', () => {
  for (const text of ['"\\ud800"', '["\\uDFFF"]', '{"\\udc00":1}', '{"a":["x\\ud83dx\\ude00"]}']) {
    assert.throws(() => parse(text), { code: 'JSON_INVALID' }, text)
    assert.throws(() => canonicalJson(JSON.parse(text)), { code: 'JSON_INVALID' }, text)
  }
  assert.equal(parse('"\\ud83d\\ude00"'), '\u{1f600}')
  assert.equal(parse('"\\\\ud800"'), '\\ud800')
  assert.throws(() => canonicalJson(Number.NaN), { code: 'JSON_INVALID' })
})

test('what is not JSON in UTF-8 is refused, and nothing else is thrown', () => {
  for (const text of ['', '{', '{"a":}', "{'a':1}", '[1,]', 'NaN', '\ufeff{}']) {
    assert.throws(() => parse(text), { code: 'JSON_INVALID' }, text)
  }
  assert.throws(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22), { maxBytes: 10 }), { code: 'JSON_INVALID' })
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        parseJson(bytes, { maxBytes: 200 })
      } catch (error) {
        assert.match((error as { code: string }).code, /^JSON_/)
      }
    }),
  )
})
