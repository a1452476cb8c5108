import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PeerRates, peerOf } from './peer-rates.ts'

test('a bucket empties, and fills at its rate up to its burst', () => {
  let now = 0
  const rates = new PeerRates({ perSecond: 2, burst: 3, peers: 10 }, () => now)
  assert.deepEqual(
    [1, 2, 3, 4].map(() => rates.take('a')),
    [0, 0, 0, 1],
  )
  assert.equal(rates.take('b'), 0)
  now = 499
  assert.equal(rates.take('a'), 1)
  now = 501
  assert.equal(rates.take('a'), 0)
  assert.equal(rates.take('a'), 1)
  now = 1_000_000
  assert.deepEqual(
    [1, 2, 3, 4].map(() => rates.take('a')),
    [0, 0, 0, 1],
  )
  rates.giveBack('a')
  assert.deepEqual(
    [1, 2].map(() => rates.take('a')),
    [0, 1],
  )
  for (let time = 0; time < 10; time++) rates.giveBack('a')
  assert.deepEqual(
    [1, 2, 3, 4].map(() => rates.take('a')),
    [0, 0, 0, 1],
  )
})

test('a slow rate says how long it takes; no rate is no limit', () => {
  const slow = new PeerRates({ perSecond: 0.1, burst: 1, peers: 10 }, () => 0)
  assert.deepEqual([slow.take('a'), slow.take('a')], [0, 10])
  const none = new PeerRates({ perSecond: 0, burst: 0, peers: 10 })
  assert.equal(none.take('a'), 0)
})

test('no more peers are remembered than the limit', () => {
  const rates = new PeerRates({ perSecond: 1, burst: 1, peers: 2 }, () => 0)
  for (const peer of ['a', 'b', 'c']) assert.equal(rates.take(peer), 0)
  assert.deepEqual([rates.take('c'), rates.take('b'), rates.take('a')], [1, 1, 0])
})

test('a peer is an IPv4 address or a /64 of IPv6', () => {
  assert.equal(peerOf('10.0.0.1'), '10.0.0.1')
  assert.equal(peerOf('::ffff:10.0.0.1'), '10.0.0.1')
  const same = [
    '2001:db8:0:1::1',
    '2001:DB8:0:1:ffff::',
    '2001:0db8:0000:0001:1:2:3:4',
    '2001:db8:0:1:1:2:3:4%eth0',
  ]
  assert.deepEqual(new Set(same.map(peerOf)), new Set(['2001:db8:0:1::/64']))
  assert.equal(peerOf('::1'), '0:0:0:0::/64')
  assert.equal(peerOf('fe80::'), 'fe80:0:0:0::/64')
  assert.equal(peerOf('2001::1:2:3:4:5'), '2001:0:0:1::/64')
  assert.equal(peerOf(''), '')
})
