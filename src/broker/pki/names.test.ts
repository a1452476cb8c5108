import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isFailure } from '#base/index.ts'
import { checkTrustDomain, identityLabel, spiffeId, spiffeSegment } from './caller-names.ts'
import { addressPattern, hostPattern, parseHostAddress, parseHostName } from './name-patterns.ts'

const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
/** Texts that are near what is looked for, and any others. */
const near = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.string({ unit: fc.constantFrom(...'aZ09-._*{}/:xn\u212a\u0000 '), maxLength: 80 }),
  fc.constantFrom('sha256-', 'id-', 'xn--a', '..', '.', '', `sha256-${'0'.repeat(64)}`, 'a'.repeat(64)),
)

test('an identity of any text has a segment and a label of its own', () => {
  fc.assert(
    fc.property(near, near, (one, other) => {
      for (const [encode, form] of [
        [spiffeSegment, /^[A-Za-z0-9._-]{1,128}$/],
        [identityLabel, label],
      ] as const) {
        assert.match(encode(one), form)
        assert.ok(!/^(\.+|xn--.*)$/.test(encode(one)) || encode === spiffeSegment)
        assert.ok(!/^\.+$/.test(encode(one)))
        assert.equal(encode(one) === encode(other), one === other)
        // What was encoded once is another identity than what it was made from, unless it stands as it is.
        if (encode(one) !== one) assert.notEqual(encode(encode(one)), encode(one))
      }
    }),
  )
  const hash = 'ab'.repeat(32)
  assert.equal(spiffeId('shop.example', hash), `spiffe://shop.example/guest/${hash}`)
  assert.equal(identityLabel(hash).length, 55)
  // RFC 4648 section 10, over SHA-256 of the empty text.
  assert.equal(identityLabel(''), 'id-4oymiquy7qobjgx36tejs35zeqt24qpemsnzgtfeswmrw6csxbkq')
})

test('a trust domain is like a host name in lower case', () => {
  for (const name of ['shop.example', 'a', 'a_b.c-d', 'a'.repeat(63)])
    assert.equal(checkTrustDomain(name), name)
  for (const name of [
    '',
    '.',
    'a.',
    'A',
    'ä',
    'a/b',
    'a:1',
    'a@b',
    'a%41',
    '-a',
    'a'.repeat(64),
    `${'a.'.repeat(127)}aa`,
  ])
    assert.throws(() => checkTrustDomain(name), { code: 'PKI_CONFIGURATION_INVALID' }, name)
})

test('a host name is read in one spelling, or refused with a code', () => {
  fc.assert(
    fc.property(near, (text) => {
      try {
        const name = parseHostName(text)
        assert.ok(name.split('.').every((part) => label.test(part)) && name.length <= 253)
        assert.equal(parseHostName(name), name)
        assert.equal(name, text.toLowerCase())
        assert.equal(new URL(`http://${name}/`).hostname, name, 'a browser reads the same')
      } catch (error) {
        // What only the URL standard does not know (bad Punycode) is matched by no star.
        assert.ok(isFailure(error, 'PKI_REQUEST_INVALID') || /xn--/.test(text.toLowerCase()))
      }
    }),
  )
  for (const text of [
    '\u212aelvin.example',
    'a..b',
    'a.',
    '.a',
    'a_b',
    '*.a',
    '1',
    '127.1',
    'a.0x7f',
    'a\0b',
    `${'a'.repeat(64)}.b`,
  ])
    assert.throws(() => parseHostName(text), { code: 'PKI_REQUEST_INVALID' }, text)
  const longest = `${'a'.repeat(61)}.`.repeat(4)
  assert.equal(parseHostName(`${longest}abcde`).length, 253)
  assert.throws(() => parseHostName(`${longest}abcdef`), { code: 'PKI_REQUEST_INVALID' })
})

test('a star is one label, and what a pattern permits is no more than it says', () => {
  const names = fc.array(fc.constantFrom('a', 'b', 'xn--a', 'ada', 'shop', 'x', '*'), {
    minLength: 1,
    maxLength: 4,
  })
  fc.assert(
    fc.property(names, names, (parts, labels) => {
      const [pattern, name] = [
        [...parts, 'example'],
        [...labels, 'example'],
      ]
      const expected =
        pattern.length === name.length &&
        pattern.every((part, at) => {
          const other = name[at]!
          return part === '*' ? other !== '*' && !other.startsWith('xn--') : part === other
        })
      const permits = hostPattern(pattern.join('.'))
      if (!labels.includes('*')) assert.equal(permits(name.join('.'), 'ada'), expected)
      else assert.ok(!permits(name.join('.'), 'ada'))
    }),
  )
  const own = hostPattern('g-{identity}.shop.example')
  assert.ok(own('g-ada.shop.example', 'ada') && !own('g-ada.shop.example', 'bob'))
  assert.ok(!own('g-*.shop.example', '*') && own(`g-${identityLabel('*')}.shop.example`, '*'))
  // An identity does not make a name in Punycode out of a pattern that is none.
  assert.ok(!hostPattern('x{identity}.shop.example')('xn--bcher-kva.shop.example', 'n--bcher-kva'))
  assert.ok(hostPattern('xn--bcher-kva.shop.example')('xn--bcher-kva.shop.example', 'ada'))
  // A pattern is no regular expression, and long ones take no time.
  assert.ok(!hostPattern('a.shop.example')('axshop.example', ''))
})

test('an address is read in one spelling, and is within a range or not', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), near), (text) => {
      try {
        const address = parseHostAddress(text)
        assert.equal(parseHostAddress(address), address)
        assert.ok(addressPattern(address)(address))
      } catch (error) {
        assert.ok(isFailure(error, 'PKI_REQUEST_INVALID'))
      }
    }),
  )
  const within = addressPattern('10.1.0.0/16')
  assert.ok(within('10.1.255.255') && !within('10.2.0.0') && !within('::a01:0'))
  assert.ok(addressPattern('2001:db8::/32')('2001:db8:ffff::') && !addressPattern('::/0')('1.2.3.4'))
  for (const pattern of ['', '10.0.0.0/', '10.0.0.0/33', '10.0.0', '::ffff:1.2.3.4', 'a', '1.2.3.4/032'])
    assert.throws(() => addressPattern(pattern), { code: 'PKI_CONFIGURATION_INVALID' }, pattern)
})
