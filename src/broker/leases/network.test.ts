import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isFailure } from '#base/index.ts'
import { compareNetworks, contains, formatAddress, formatNetwork, parseNetwork } from './network.ts'
import { createPool } from './pool.ts'

const refused = (code: string) => (error: unknown) => isFailure(error, code)
const addresses = (name: string, range: string, exclude: readonly string[] = []) => {
  const pool = createPool({ name, range: parseNetwork(range), exclude: exclude.map(parseNetwork) })
  const { family } = pool.range
  return [...pool.candidates('x', 1000)].map((address) => formatAddress({ family, address })).sort()
}

describe('networks', () => {
  test('are read and written in their shortest spelling', () => {
    for (const text of ['10.1.2.3/16', '0.0.0.0/0', '255.255.255.255/32', 'fd00::1/64', '::/0', '::1/128']) {
      assert.equal(formatNetwork(parseNetwork(text)), text)
    }
    assert.equal(formatNetwork(parseNetwork('FD00:0:0:0:1:0:0:1/64')), 'fd00::1:0:0:1/64')
    assert.equal(formatNetwork(parseNetwork('1:2:3:4:5:6:7::/64')), '1:2:3:4:5:6:7:0/64')
  })

  test('what is none, or has another spelling, is refused', () => {
    const bad = [
      '',
      '10.0.0.1',
      '10.0.0.1/33',
      '10.0.0.01/8',
      '10.0.0.1/08',
      'fe80::1%eth0/64',
      'fd00::1/129',
    ]
    for (const text of [
      ...bad,
      '::ffff:10.0.0.1/128',
      '::ffff:a00:1/128',
      '1::2::3/64',
      'x/8',
      '/8',
      `${'1'.repeat(99)}/8`,
    ]) {
      assert.throws(() => parseNetwork(text), refused('NETWORK_INVALID'), text)
    }
  })

  test('every one comes back from its text, and holds itself', () => {
    const v4 = fc.record({
      family: fc.constant(4 as const),
      address: fc.bigInt(0n, 2n ** 32n - 1n),
      bits: fc.nat(32),
    })
    const v6 = fc.record({
      family: fc.constant(6 as const),
      address: fc.bigInt(0n, 2n ** 128n - 1n).filter((address) => address >> 32n !== 0xffffn),
      bits: fc.nat(128),
    })
    fc.assert(
      fc.property(fc.oneof(v4, v6), (network) => {
        assert.deepEqual(parseNetwork(formatNetwork(network)), { ...network })
        assert.ok(contains(network, network))
        assert.equal(compareNetworks(network, network), 0)
      }),
    )
  })

  test('any text is a network or refused', () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'0123456789abcdef.:/%') }))
    fc.assert(
      fc.property(text, (input) => {
        try {
          parseNetwork(input)
        } catch (error) {
          assert.ok(isFailure(error, 'NETWORK_INVALID'))
        }
      }),
    )
  })

  test('a part lies in the whole, the whole not in a part, and families apart', () => {
    const inside = (outer: string, inner: string) => contains(parseNetwork(outer), parseNetwork(inner))
    assert.ok(inside('10.0.0.0/8', '10.9.9.9/24'))
    assert.ok(!inside('10.0.0.0/8', '11.0.0.0/8'))
    assert.ok(!inside('10.0.0.0/24', '10.0.0.0/8'))
    assert.ok(!inside('::/0', '10.0.0.0/8'))
  })
})

describe('pools', () => {
  test('give neither network nor broadcast address, nor what is excluded', () => {
    assert.deepEqual(addresses('a', '10.0.0.0/29', ['10.0.0.1/32', '10.0.0.4/31']), [
      '10.0.0.2',
      '10.0.0.3',
      '10.0.0.6',
    ])
    assert.deepEqual(addresses('a', '10.0.0.0/31'), ['10.0.0.0', '10.0.0.1'])
    assert.deepEqual(addresses('a', 'fd00::/126'), ['fd00::1', 'fd00::2', 'fd00::3'])
  })

  test('overlapping exclusions count once', () => {
    assert.deepEqual(addresses('a', '10.0.0.0/29', ['10.0.0.0/30', '10.0.0.2/32', '10.0.0.0/31']), [
      '10.0.0.4',
      '10.0.0.5',
      '10.0.0.6',
    ])
  })

  test('the largest has its addresses at once', () => {
    const pool = createPool({ name: 'a', range: parseNetwork('fd00::/8') })
    const found = [...pool.candidates('web', 5)]
    assert.equal(found.length, 5)
    assert.deepEqual(found, [...pool.candidates('web', 5)])
    assert.ok(found.every((address) => pool.has(address)))
    assert.notDeepEqual(found, [...pool.candidates('db', 5)])
  })

  test('empty ones, and exclusions from elsewhere, are refused', () => {
    assert.throws(() => addresses('a', '10.0.0.0/30', ['10.0.0.0/30']), refused('POOL_INVALID'))
    assert.throws(() => addresses('a', '10.0.0.0/30', ['10.1.0.0/32']), refused('POOL_INVALID'))
    assert.throws(() => addresses('a/b', '10.0.0.0/30'), refused('POOL_INVALID'))
    const range = parseNetwork('10.0.0.0/24')
    const exclude = [parseNetwork('10.0.0.1/32'), parseNetwork('10.0.0.2/32')]
    assert.equal(createPool({ name: 'a', range, exclude }, 2).size, 252n)
    assert.throws(() => createPool({ name: 'a', range, exclude }, 1), refused('POOL_INVALID'))
  })
})
