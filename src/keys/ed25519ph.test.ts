import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isEd25519ph } from './ed25519ph.ts'

const hex = (text: string) => Buffer.from(text, 'hex')
// RFC 8032 section 7.3.
const key = hex('ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf')
const message = hex('616263')
const signature = hex(
  '98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406',
)

test('the vector of RFC 8032 is good', () => {
  assert.ok(isEd25519ph(key, message, signature))
})

test('any bit that is another is not', () => {
  const flipped = (bytes: Buffer, bit: number) => {
    const copy = Buffer.from(bytes)
    copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7))
    return copy
  }
  for (let bit = 0; bit < 512; bit += 13)
    assert.ok(!isEd25519ph(key, message, flipped(signature, bit)), `${bit}`)
  for (let bit = 0; bit < 256; bit += 13)
    assert.ok(!isEd25519ph(flipped(key, bit), message, signature), `${bit}`)
  assert.ok(!isEd25519ph(key, flipped(message, 0), signature))
})

test('what is not in its one encoding is not', () => {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + order
  const malleable = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse()
  assert.ok(!isEd25519ph(key, message, Buffer.concat([signature.subarray(0, 32), malleable])))
  const beyond = Buffer.concat([hex('ed'), Buffer.alloc(30, 0xff), hex('7f')])
  assert.ok(!isEd25519ph(beyond, message, signature))
  assert.ok(!isEd25519ph(key, message, Buffer.concat([beyond, signature.subarray(32)])))
  for (const [k, s] of [
    [key.subarray(1), signature],
    [key, signature.subarray(1)],
    [key, Buffer.concat([signature, hex('00')])],
  ] as const) {
    assert.ok(!isEd25519ph(k, message, s))
  }
})
