import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isFailure } from '#base/index.ts'
import { emptyRoot, leafHash, nodeHash } from './hash.ts'
import { verifyConsistency, verifyInclusion } from './proof.ts'
import {
  consistencyRanges,
  floorLog2,
  foldSubtrees,
  inclusionRanges,
  type LeafRange,
  subtreesOf,
} from './ranges.ts'

const most = 2000
const leaves = Array.from({ length: most }, (_, at) => leafHash(Buffer.from(`entry ${at}`)))
const known = new Map<string, Uint8Array>()

/** RFC 6962 section 2.1, word for word. */
function hashOver({ from, to }: LeafRange): Uint8Array {
  if (to === from) return emptyRoot
  if (to - from === 1) return leaves[from]!
  const key = `${from} ${to}`
  let hash = known.get(key)
  if (!hash) {
    let split = 1
    while (split * 2 < to - from) split *= 2
    hash = nodeHash(hashOver({ from, to: from + split }), hashOver({ from: from + split, to }))
    known.set(key, hash)
  }
  return hash
}

const tree = (size: number) => ({ size, root: hashOver({ from: 0, to: size }) })
const inclusion = (index: number, size: number) => inclusionRanges(index, size).map(hashOver)
const consistency = (old: number, size: number) => consistencyRanges(old, size).map(hashOver)
const refused = (error: unknown) => isFailure(error, 'LOG_PROOF_INVALID')

test('hashes are those of RFC 6962', () => {
  // The known answers of the certificate transparency project's test vectors.
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
  assert.equal(hex(emptyRoot), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  assert.equal(
    hex(leafHash(new Uint8Array(0))),
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  )
  const two = nodeHash(leafHash(new Uint8Array(0)), leafHash(Buffer.of(0)))
  assert.equal(hex(two), 'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125')
})

test('a range is folded from its complete subtrees', () => {
  for (const size of [1, 2, 3, 7, 8, 255, 256, 257, 1999]) {
    const hashes = subtreesOf({ from: 0, to: size }).map(({ level, index }) =>
      hashOver({ from: index * 2 ** level, to: (index + 1) * 2 ** level }),
    )
    assert.deepEqual(foldSubtrees(hashes), tree(size).root, `size ${size}`)
  }
})

test('logarithms are exact up to 2^53', () => {
  for (let power = 0; power <= 52; power++) {
    assert.equal(floorLog2(2 ** power), power)
    if (power > 0) assert.equal(floorLog2(2 ** power - 1), power - 1)
    if (power > 1) assert.equal(floorLog2(2 ** power + 1), power)
  }
  assert.equal(floorLog2(Number.MAX_SAFE_INTEGER), 52)
})

test('inclusion is proved for every entry of small trees, and at random in larger ones', () => {
  const prove = (index: number, size: number) =>
    verifyInclusion(leaves[index]!, index, tree(size), inclusion(index, size))
  for (let size = 1; size <= 40; size++) for (let index = 0; index < size; index++) prove(index, size)
  const sizes = fc.integer({ min: 1, max: most })
  const both = sizes.chain((size) => fc.tuple(fc.nat(size - 1), fc.constant(size)))
  fc.assert(fc.property(both, ([index, size]) => prove(index, size)))
})

test('consistency is proved between all small trees, and at random between larger ones', () => {
  const prove = (old: number, size: number) =>
    verifyConsistency(tree(old), tree(size), old === 0 ? [] : consistency(old, size))
  for (let size = 0; size <= 40; size++) for (let old = 0; old <= size; old++) prove(old, size)
  const sizes = fc.integer({ min: 1, max: most })
  const both = sizes.chain((size) => fc.tuple(fc.integer({ min: 1, max: size }), fc.constant(size)))
  fc.assert(fc.property(both, ([old, size]) => prove(old, size)))
})

/** One thing of a proof made wrong. */
function spoilt(proof: readonly Uint8Array[], how: number): Uint8Array[] {
  const at = Math.floor(how / 4) % Math.max(1, proof.length)
  if (how % 4 === 0) return [...proof, leaves[0]!]
  if (how % 4 === 1) return proof.slice(0, -1)
  if (how % 4 === 2)
    return proof.map((hash, index) => (index === at ? hash.with(how % 32, hash[how % 32]! ^ 1) : hash))
  return proof.toSpliced(at, 1, proof[at]?.subarray(1) ?? new Uint8Array(31))
}

test('a proof of anything else is refused', () => {
  const sizes = fc.integer({ min: 2, max: most })
  const both = sizes.chain((size) => fc.tuple(fc.nat(size - 1), fc.constant(size), fc.nat(1000)))
  fc.assert(
    fc.property(both, ([index, size, how]) => {
      const proof = inclusion(index, size)
      const other = (index + 1) % size
      assert.throws(() => verifyInclusion(leaves[other]!, index, tree(size), proof), refused)
      assert.throws(() => verifyInclusion(leaves[index]!, other, tree(size), proof), refused)
      assert.throws(() => verifyInclusion(leaves[index]!, index, tree(size), spoilt(proof, how)), refused)
      const old = index + 1
      const from = consistency(old, size)
      assert.throws(() => verifyConsistency({ size: old, root: leaves[9]! }, tree(size), from), refused)
      assert.throws(() => verifyConsistency(tree(old), { size, root: leaves[9]! }, from), refused)
      if (from.length > 0) {
        assert.throws(() => verifyConsistency(tree(old), tree(size), spoilt(from, how)), refused)
      }
    }),
  )
})

test('sizes that cannot be are refused', () => {
  const root = leaves[0]!
  for (const size of [-1, 0.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY]) {
    assert.throws(() => verifyInclusion(root, 0, { size, root }, []), refused)
    assert.throws(() => verifyInclusion(root, size, { size: 1, root }, []), refused)
    assert.throws(() => verifyConsistency({ size, root }, { size: 1, root }, []), refused)
    assert.throws(() => verifyConsistency({ size: 1, root }, { size, root }, []), refused)
  }
  assert.throws(() => verifyInclusion(root, 1, { size: 1, root }, []), refused)
  assert.throws(() => verifyConsistency({ size: 2, root }, { size: 1, root }, []), refused)
  assert.throws(() => verifyConsistency({ size: 0, root }, { size: 1, root }, []), refused)
  const huge = 2 ** 53 - 1
  assert.throws(() => verifyInclusion(root, huge - 1, { size: huge, root }, Array(53).fill(root)), refused)
})
