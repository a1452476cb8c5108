import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { brokerServerLimits, isFailure } from '#base/index.ts'
import { parseNames, parseQuery, parseTarget } from './request-target.ts'

const bad = { code: 'BROKER_TARGET_INVALID' }
const badQuery = { code: 'BROKER_QUERY_INVALID' }

test('a target is a path with a query, or a whole URI', () => {
  const expected = { path: '/kbs/v0/auth', query: 'a=1?&b' }
  assert.deepEqual(parseTarget('/kbs/v0/auth?a=1?&b'), expected)
  assert.deepEqual(parseTarget('http://somebody.else:99/kbs/v0/auth?a=1?&b'), expected)
  assert.deepEqual(parseTarget('HTTPS://x'), { path: '/', query: '' })
  for (const text of [
    '',
    '*',
    'kbs/v0',
    'http://',
    'ftp://x/y',
    '/a b',
    '/a#b',
    '/\\a',
    '/é',
    '/a\u0000',
    '/"',
    '/<',
  ]) {
    assert.throws(() => parseTarget(text), bad, text)
  }
  const limits = { ...brokerServerLimits, targetLength: 20 }
  assert.equal(parseTarget(`/${'a'.repeat(19)}`, limits).path.length, 20)
  assert.throws(() => parseTarget(`/${'a'.repeat(20)}`, limits), bad)
})

test('names of a path are decoded one by one; tricks are no names', () => {
  assert.deepEqual(parseNames('resource/default/key/one'), ['resource', 'default', 'key', 'one'])
  assert.deepEqual(parseNames('a/%61%20b/%C3%A9/a.b/...'), ['a', 'a b', 'é', 'a.b', '...'])
  assert.deepEqual(parseNames(''), [])
  const tricks = [
    [
      '/',
      'a/',
      '/a',
      'a//b',
      './a',
      'a/..',
      '../a',
      '%2e%2e/a',
      'a/%2E',
      '.%2e/a',
      'a%2fb',
      'a%2Fb',
      'a%00b',
    ],
    [
      'a%0ab',
      'a%7f',
      'a%c2%85',
      'a%',
      'a%2',
      'a%zz',
      'a%c0%af',
      'a%e0%80%af',
      'a%ff',
      'a%ed%a0%80',
      '%f5%80%80%80',
    ],
  ].flat()
  for (const text of tricks) assert.throws(() => parseNames(text), bad, text)
})

test('names and their number are bounded', () => {
  const limits = { ...brokerServerLimits, pathNames: 3, pathNameLength: 4 }
  assert.equal(parseNames('abcd/%C3%A9bcd/c', limits).length, 3)
  assert.throws(() => parseNames('a/b/c/d', limits), bad)
  assert.throws(() => parseNames('abcde', limits), bad)
})

test('what was encoded name by name is what is read', () => {
  const name = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
    .filter((text) => text !== '.' && text !== '..' && !/[\p{Cc}/\ud800-\udfff]/u.test(text))
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 8 }), (names) => {
      assert.deepEqual(parseNames(names.map(encodeURIComponent).join('/')), names)
    }),
  )
})

test('whatever is sent as a path gives harmless names or a refusal', () => {
  const piece = fc.constantFrom(
    '/',
    '.',
    '%2e',
    '%2f',
    '%',
    '%00',
    '%c0',
    'a',
    '..',
    '%25',
    '%5c',
    '%252e',
    'é',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      try {
        for (const name of parseNames(parseTarget(`/${pieces.join('')}`).path.slice(1))) {
          assert.ok(name !== '' && name !== '.' && name !== '..' && !/[/\p{Cc}]/u.test(name))
        }
      } catch (error) {
        assert.ok(isFailure(error, bad.code))
      }
    }),
  )
})

test('a query is read as forms are; the last of duplicates wins, and no name is special', () => {
  const query = parseQuery(
    'name=a&ip=10.0.0.1/24&name=b+c&a[]=1&a[]=2&e=&f&&__proto__=x&constructor=y&%3d=%26',
  )
  assert.deepEqual(Object.entries(query), [
    ['name', 'b c'],
    ['ip', '10.0.0.1/24'],
    ['a[]', '2'],
    ['e', ''],
    ['f', ''],
    ['__proto__', 'x'],
    ['constructor', 'y'],
    ['=', '&'],
  ])
  assert.equal(Object.getPrototypeOf(query), null)
  assert.equal(Object.getPrototypeOf(parseQuery('')), null)
  assert.equal(({} as Record<string, unknown>).x, undefined)
  for (const text of ['=x', 'a=%', 'a=%c0%af', '%ff=1', 'a=%e2%82'])
    assert.throws(() => parseQuery(text), badQuery, text)
})

test('a query is bounded in parameters and their length', () => {
  const limits = { ...brokerServerLimits, queryParameters: 3, queryLength: 4 }
  assert.equal(Object.keys(parseQuery('a=1&b=2&c=3333', limits)).length, 3)
  assert.throws(() => parseQuery('a=1&b=2&c=3&d=4', limits), badQuery)
  assert.throws(() => parseQuery('a=12345', limits), badQuery)
  assert.throws(() => parseQuery('abcde', limits), badQuery)
  assert.throws(() => parseQuery('a=1&'.repeat(10_000)), badQuery)
})

test('parameters come back as they were written', () => {
  const pair = fc.tuple(fc.string({ minLength: 1, maxLength: 9 }), fc.string({ maxLength: 9 }))
  fc.assert(
    fc.property(fc.array(pair, { maxLength: 9 }), (pairs) => {
      const query = parseQuery(new URLSearchParams(pairs).toString())
      const expected: Record<string, string> = Object.create(null)
      for (const [name, value] of pairs) expected[name] = value
      assert.deepEqual(query, expected)
    }),
  )
})
