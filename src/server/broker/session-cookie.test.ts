import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { brokerServerLimits } from '#base/index.ts'
import { bearerOf, formatSessionCookie, sessionOf } from './session-cookie.ts'

const id = '7a0a8b439c1643b09823ed71201526ef'
const other = '035ad19a81a04cb6a54720516a493dae'

test('the first session of the right form is taken, among whatever cookies', () => {
  assert.equal(sessionOf(`kbs-session-id=${id}`), id)
  assert.equal(sessionOf(`a=b; kbs-session-id=${id}; kbs-session-id=${other}`), id)
  assert.equal(sessionOf(`kbs-session-id=short;kbs-session-id=${id}`), id)
  assert.equal(sessionOf(`flag; kbs-session-id=${id}`), id)
  const none = [
    undefined,
    '',
    ';;;',
    'kbs-session-id',
    'kbs-session-id=',
    `kbs-session-id="${id}"`,
    `kbs-session-id=${id}0`,
    `kbs-session-id=${id.toUpperCase()}`,
    `KBS-Session-Id=${id}`,
    `xkbs-session-id=${id}`,
    `a=kbs-session-id=${id}`,
    `kbs-session-id=../../${id.slice(6)}`,
  ]
  for (const field of none) assert.equal(sessionOf(field), undefined, String(field))
})

test('a flood of cookies is looked at up to its limit', () => {
  const limits = { ...brokerServerLimits, cookies: 3 }
  assert.equal(sessionOf(`a=1; b=2; kbs-session-id=${id}`, limits), id)
  assert.equal(sessionOf(`a=1; b=2; c=3; kbs-session-id=${id}`, limits), undefined)
})

test('any field gives a session of the right form, or none', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('kbs-session-id', '=', ';', ' ', id, 'a') }), (field) => {
      assert.ok([undefined, id].includes(sessionOf(field)))
    }),
  )
})

test('a cookie is written as Trustee writes it', () => {
  const expires = new Date('2026-11-21T01:52:34.999Z')
  const written = `kbs-session-id=${id}; Expires=Sat, 21 Nov 2026 01:52:34 GMT`
  assert.equal(formatSessionCookie({ value: id, expires }), written)
})

test('a bearer token is one word behind its scheme', () => {
  assert.equal(bearerOf('Bearer a.b-c_d~+/=='), 'a.b-c_d~+/==')
  assert.equal(bearerOf('bearer  abc '), 'abc')
  for (const field of [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'Basic abc',
    'Bearer a b',
    'Bearer é',
    'xBearer a',
    'Bearer =',
  ]) {
    assert.equal(bearerOf(field), undefined, String(field))
  }
})
