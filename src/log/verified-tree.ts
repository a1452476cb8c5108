import { limits } from '#base/index.ts'
import { failure } from './codes.ts'
import { loadEdge, pairs, type RightEdge, readEntries, readHashes } from './edge.ts'
import { emptyRoot, isEqual } from './hash.ts'
import type { Tree } from './proof.ts'
import {
  consistencyRanges,
  foldSubtrees,
  inclusionRanges,
  type LeafRange,
  type Subtree,
  subtreesOf,
} from './ranges.ts'
import { tilePath, tileWidth, widthOf } from './tiles.ts'
import type { TileStore } from './types.ts'

const innerLevels = Math.log2(tileWidth)

/** All nodes of a tile: its hashes, and the layers above them as far as they are complete. */
type Layers = readonly (readonly Uint8Array[])[]

/** Full tiles that were verified; they stay true as long as the tree only grows. */
export type TileCache = Map<string, Layers>

/** One state of a log: what is read from the store is held against the root before it is used. */
export class VerifiedTree implements Tree {
  readonly size: number
  readonly root: Uint8Array
  readonly #store: TileStore
  readonly #cache: TileCache
  #edge: Promise<readonly Layers[]> | undefined

  /** @param edge where it is known already, and true */
  constructor(store: TileStore, { size, root }: Tree, cache: TileCache = new Map(), edge?: RightEdge) {
    this.size = size
    this.root = root
    this.#store = store
    this.#cache = cache
    if (edge) this.#edge = Promise.resolve(edge.tails.map(layersOf))
  }

  /** @throws LOG_TILE_INVALID */
  async entries(bundle: number): Promise<Uint8Array[]> {
    const width = widthOf(0, bundle, this.size)
    const [leaves] = await this.#tile(0, bundle)
    return readEntries(this.#store, { index: bundle, width }, leaves!)
  }

  /** @throws LOG_ENTRY_MISSING, LOG_TILE_INVALID */
  async inclusionProof(index: number, size: number): Promise<Uint8Array[]> {
    this.#assertSize(size)
    if (!Number.isSafeInteger(index) || index < 0 || index >= size) {
      throw failure('LOG_ENTRY_MISSING', `there is no entry ${index} in a log of size ${size}`)
    }
    return Promise.all(inclusionRanges(index, size).map((range) => this.#hash(range)))
  }

  /** @throws LOG_ENTRY_MISSING, LOG_TILE_INVALID */
  async consistencyProof(from: number, to: number): Promise<Uint8Array[]> {
    this.#assertSize(to)
    if (!Number.isSafeInteger(from) || from < 0 || from > to) {
      throw failure('LOG_ENTRY_MISSING', `size ${to} of the log does not continue size ${from}`)
    }
    // The empty tree is a part of every tree, without proof.
    const ranges = from === 0 ? [] : consistencyRanges(from, to)
    return Promise.all(ranges.map((range) => this.#hash(range)))
  }

  /** The root that the log had at a smaller size. @throws LOG_ENTRY_MISSING, LOG_TILE_INVALID */
  async rootAt(size: number): Promise<Uint8Array> {
    this.#assertSize(size)
    return size === 0 ? emptyRoot : this.#hash({ from: 0, to: size })
  }

  #assertSize(size: number): void {
    if (!Number.isSafeInteger(size) || size < 0 || size > this.size) {
      throw failure('LOG_ENTRY_MISSING', `the log has ${this.size} entries, not ${size}`)
    }
  }

  async #hash(range: LeafRange): Promise<Uint8Array> {
    return foldSubtrees(await Promise.all(subtreesOf(range).map((subtree) => this.#node(subtree))))
  }

  async #node({ level, index }: Subtree): Promise<Uint8Array> {
    const inner = level % innerLevels
    const width = tileWidth / 2 ** inner
    const layers = await this.#tile((level - inner) / innerLevels, Math.floor(index / width))
    return layers[inner]![index % width]!
  }

  async #tile(level: number, index: number): Promise<Layers> {
    const width = widthOf(level, index, this.size)
    if (width < tileWidth) {
      this.#edge ??= loadEdge(this.#store, this).then(({ tails }) => tails.map(layersOf))
      return (await this.#edge)[level]!
    }
    const tile = { level, index, width }
    const key = tilePath(tile)
    const known = this.#cache.get(key)
    if (known) return known
    const layers = layersOf(await readHashes(this.#store, tile))
    // A full tile's hash stands in the tile above, which is verified in the same way, up to the edge.
    const [above] = await this.#tile(level + 1, Math.floor(index / tileWidth))
    if (!isEqual(layers[innerLevels]![0]!, above![index % tileWidth]!)) {
      throw failure(
        'LOG_TILE_INVALID',
        `the tile ${key} is not what the checkpoint of size ${this.size} says`,
      )
    }
    if (this.#cache.size >= limits.logTilesRemembered) this.#cache.delete(this.#cache.keys().next().value!)
    this.#cache.set(key, layers)
    return layers
  }
}

function layersOf(hashes: readonly Uint8Array[]): Layers {
  const layers = [hashes]
  for (let last = hashes; last.length > 1; layers.push(last)) last = pairs(last)
  return layers
}
