import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kmac256 } from './kmac256.ts'

// NIST's examples "KMAC_samples.pdf", samples 4 to 6.
const key = Buffer.from(Array.from({ length: 32 }, (_, at) => 0x40 + at))
const long = Buffer.from(Array.from({ length: 200 }, (_, at) => at))
const tagged = Buffer.from('My Tagged Application')

test('KMAC256 gives what NIST says', () => {
  assert.equal(
    kmac256(key, Buffer.from('00010203', 'hex'), 64, tagged).toString('hex'),
    '20c570c31346f703c9ac36c61c03cb64c3970d0cfc787e9b79599d273a68d2f7f69d4cc3de9d104a351689f27cf6f5951f0103f33f4f24871024d9c27773a8dd',
  )
  assert.equal(
    kmac256(key, long, 64).toString('hex'),
    '75358cf39e41494e949707927cee0af20a3ff553904c86b08f21cc414bcfd691589d27cf5e15369cbbff8b9a4c2eb17800855d0235ff635da82533ec6b759b69',
  )
  assert.equal(
    kmac256(key, long, 64, tagged).toString('hex'),
    'b58618f71f92e1d56c1b8c55ddd7cd188b97b4ca4d99831eb2699a837da2e4d970fbacfde50033aea585f1a2708510c32d07880801bd182898fe476876fc8965',
  )
})
