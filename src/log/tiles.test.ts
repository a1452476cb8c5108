import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { isFailure } from '#base/index.ts'
import {
  decodeBundle,
  encodeBundle,
  hashesAt,
  parseTilePath,
  type Tile,
  tilePath,
  tileWidth,
  widthOf,
} from './tiles.ts'

const invalid = (error: unknown) => isFailure(error, 'LOG_TILE_INVALID')

test('tiles lie where tlog-tiles says', () => {
  assert.equal(tilePath({ level: 0, index: 1_234_067, width: 256 }), 'tile/0/x001/x234/067')
  assert.equal(tilePath({ level: 2, index: 0, width: 1 }), 'tile/2/000.p/1')
  assert.equal(tilePath({ level: 'entries', index: 1000, width: 255 }), 'tile/entries/x001/000.p/255')
  assert.equal(
    tilePath({ level: 0, index: Number.MAX_SAFE_INTEGER, width: 256 }),
    'tile/0/x009/x007/x199/x254/x740/991',
  )
})

// The example of tlog-tiles, Partial Tiles.
test('a tree of 70,000 has the tiles that tlog-tiles counts', () => {
  const counts = (level: number) => [Math.floor(hashesAt(level, 70_000) / 256), hashesAt(level, 70_000) % 256]
  assert.deepEqual([0, 1, 2, 3].map(counts), [
    [273, 112],
    [1, 17],
    [0, 1],
    [0, 0],
  ])
  assert.equal(widthOf(0, 273, 70_000), 112)
  assert.equal(widthOf(0, 272, 70_000), 256)
  assert.equal(widthOf(0, 274, 70_000), 0)
  assert.equal(widthOf(1, 0, 256), 1)
})

const vectors = join(import.meta.dirname, '../../../shared/vectors/c2sp/examples.json')
const absent = existsSync(vectors) ? false : 'NOT TESTED: the shared vectors are not here'

test('the shared vector of the layout agrees', { skip: absent }, () => {
  const { tile_layout: layout } = JSON.parse(readFileSync(vectors, 'utf8'))
  assert.equal(tilePath({ level: 0, index: 1_234_067, width: 256 }), `tile/0/${layout.index_1234067}`)
  assert.equal(Math.floor(hashesAt(0, layout.tree_size) / 256), layout.level0_full)
  assert.equal(hashesAt(0, layout.tree_size) % 256, layout.level0_partial)
  assert.equal(hashesAt(1, layout.tree_size) % 256, layout.level1_partial)
})

const level = fc.oneof(fc.constant('entries' as const), fc.nat(63))
const index = fc.oneof(fc.maxSafeNat(), fc.nat(3000))
const tiles: fc.Arbitrary<Tile> = fc.record({ level, index, width: fc.integer({ min: 1, max: tileWidth }) })

test('a path has one tile, and a tile one path', () => {
  fc.assert(fc.property(tiles, (tile) => assert.deepEqual(parseTilePath(tilePath(tile)), { ...tile })))
  const characters = fc.constantFrom('tile/', '0', '00', 'x', '/', '.p/', '001', 'entries', '256', '..', '9')
  fc.assert(
    fc.property(
      fc.array(characters).map((parts) => parts.join('')),
      (path) => {
        const tile = parseTilePath(path)
        if (tile) assert.equal(tilePath(tile), path)
      },
    ),
  )
  for (const path of [
    'tile/0/0',
    'tile/00/000',
    'tile/64/000',
    'tile/0/x000/001',
    'tile/0/000.p/0',
    'tile/0/000.p/256',
    'tile/0/000.p/01',
    'tile/0/../000',
    'tile/0/x009/x007/x199/x254/x740/992',
    'tile/data/000',
    '/tile/0/000',
  ]) {
    assert.equal(parseTilePath(path), undefined, path)
  }
})

test('bundles hold their entries, and are not cut short', () => {
  const entries = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 })
  fc.assert(
    fc.property(entries, fc.nat(), (entries, at) => {
      const bundle = encodeBundle(entries)
      const decoded = decodeBundle(bundle, entries.length).map((entry) => Uint8Array.from(entry))
      assert.deepEqual(
        decoded,
        entries.map((entry) => Uint8Array.from(entry)),
      )
      assert.throws(() => decodeBundle(bundle, entries.length + 1), invalid)
      if (bundle.length > 0) {
        assert.throws(() => decodeBundle(bundle.subarray(0, at % bundle.length), entries.length), invalid)
      }
    }),
  )
})
