import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { contentRange, parseChunkRange, parseRange } from './byte-range.ts'

test('a range that is given lies within the content, and is the one that was asked for', () => {
  const number = fc.nat(5000)
  fc.assert(
    fc.property(number, number, number, (first, last, size) => {
      const range = parseRange(`bytes=${first}-${last}`, size)
      if (range === 'unsatisfiable') assert.ok(first >= size || last < first)
      else {
        assert.ok(range)
        assert.equal(range.offset, first)
        assert.equal(range.offset + range.length, Math.min(last + 1, size))
        assert.equal(contentRange(range, size), `bytes ${first}-${Math.min(last, size - 1)}/${size}`)
      }
      const tail = parseRange(`bytes=-${last}`, size)
      if (tail === 'unsatisfiable') assert.ok(last === 0 || size === 0)
      else assert.deepEqual(tail, { offset: size - Math.min(last, size), length: Math.min(last, size) })
    }),
  )
})

test('whatever a client writes, the answer is within the content', () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^bytes=[-0-9, ]{0,30}$/))
  fc.assert(
    fc.property(text, fc.nat(1000), (header, size) => {
      const range = parseRange(header, size)
      if (range === undefined || range === 'unsatisfiable') return
      assert.ok(Number.isSafeInteger(range.offset) && range.offset >= 0 && range.length > 0)
      assert.ok(range.offset + range.length <= size)
    }),
  )
})

test('the conformance suite’s ranges', () => {
  assert.deepEqual(parseRange('bytes=500-1499', 2048), { offset: 500, length: 1000 })
  assert.deepEqual(parseRange('bytes=500-', 2048), { offset: 500, length: 1548 })
  assert.deepEqual(parseRange('bytes=-500', 2048), { offset: 1548, length: 500 })
  assert.deepEqual(parseRange('bytes=2000-5000', 2048), { offset: 2000, length: 48 })
  for (const header of [
    'bytes=500-0',
    'bytes=5000-10000',
    'bytes=-0',
    'bytes=2048-',
    `bytes=${'9'.repeat(20)}-`,
  ]) {
    assert.equal(parseRange(header, 2048), 'unsatisfiable', header)
  }
  assert.equal(parseRange('bytes=0-', 0), 'unsatisfiable')
  for (const header of [
    undefined,
    '',
    'bytes=',
    'bytes=-',
    'items=0-1',
    'bytes=0-1,3-4',
    'bytes=a-b',
    `bytes=${'9'.repeat(21)}-`,
  ]) {
    assert.equal(parseRange(header, 2048), undefined, `${header}`)
  }
})

test('chunks of a push', () => {
  assert.deepEqual(parseChunkRange('0-1023'), { offset: 0, length: 1024 })
  assert.deepEqual(parseChunkRange('bytes 5-5/*'), { offset: 5, length: 1 })
  assert.deepEqual(parseChunkRange('bytes 5-9/100'), { offset: 5, length: 5 })
  assert.equal(parseChunkRange(undefined), undefined)
  for (const header of ['', '5-4', '-5', '5-', 'x', '1-2-3', '0x1-2', `0-${'9'.repeat(16)}`]) {
    assert.equal(parseChunkRange(header), 'malformed', header)
  }
})
