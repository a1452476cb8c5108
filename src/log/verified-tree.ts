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
export type TileCache = Map<number, Layers>

/** One state of a log: what is read from the store is held against the root before it is used. */
export class VerifiedTree implements Tree {
  readonly size: number
  readonly root: Uint8Array
  readonly #store: TileStore
  readonly #cache: TileCache
  readonly #known: RightEdge | undefined
  #edge: readonly Layers[] | undefined

  /** @param edge where it is known already, and true */
  constructor(store: TileStore, { size, root }: Tree, cache: TileCache = new Map(), edge?: RightEdge) {
    this.size = size
    this.root = root
    this.#store = store
    this.#cache = cache
    this.#known = edge
  }

  /** @throws LOG_TILE_INVALID */
  async entries(bundle: number): Promise<Uint8Array[]> {
    const width = widthOf(0, bundle, this.size)
    const [leaves] = await this.#tile({ level: 0, index: bundle })
    return readEntries(this.#store, { index: bundle, width }, leaves!)
  }

  /** @throws LOG_ENTRY_MISSING, LOG_TILE_INVALID */
  async inclusionProof(index: number, size: number): Promise<Uint8Array[]> {
    this.#assertSize(size)
    if (!Number.isSafeInteger(index) || index < 0 || index >= size) {
      throw failure('LOG_ENTRY_MISSING', `there is no entry ${index} in a log of size ${size}`)
    }
    return this.#hashes(inclusionRanges(index, size))
  }

  /** @throws LOG_ENTRY_MISSING, LOG_TILE_INVALID */
  async consistencyProof(from: number, to: number): Promise<Uint8Array[]> {
    this.#assertSize(to)
    if (!Number.isSafeInteger(from) || from < 0 || from > to) {
      throw failure('LOG_ENTRY_MISSING', `size ${to} of the log does not continue size ${from}`)
    }
    // The empty tree is a part of every tree, without proof.
    return from === 0 ? [] : this.#hashes(consistencyRanges(from, to))
  }

  /** The root that the log had at a smaller size. @throws LOG_ENTRY_MISSING, LOG_TILE_INVALID */
  async rootAt(size: number): Promise<Uint8Array> {
    this.#assertSize(size)
    return size === 0 ? emptyRoot : (await this.#hashes([{ from: 0, to: size }]))[0]!
  }

  #assertSize(size: number): void {
    if (!Number.isSafeInteger(size) || size < 0 || size > this.size) {
      throw failure('LOG_ENTRY_MISSING', `the log has ${this.size} entries, not ${size}`)
    }
  }

  /** The hashes over some ranges; only where a tile is not at hand this waits. */
  async #hashes(ranges: readonly LeafRange[]): Promise<Uint8Array[]> {
    const wanted = ranges.map((range) => subtreesOf(range).map(placeOf))
    const tiles = new Map<number, Layers>()
    for (const place of wanted.flat()) {
      const key = keyOf(place)
      if (!tiles.has(key)) tiles.set(key, this.#atHand(place) ?? (await this.#tile(place)))
    }
    return wanted.map((places) =>
      foldSubtrees(places.map((place) => tiles.get(keyOf(place))![place.layer]![place.at]!)),
    )
  }

  #atHand(place: TilePlace): Layers | undefined {
    const isFull = widthOf(place.level, place.index, this.size) === tileWidth
    if (isFull) return this.#cache.get(keyOf(place))
    // Made when it is first asked for: most states of a log are followed by the next one before anybody asks.
    if (this.#known) this.#edge ??= this.#known.tails.map(layersOf)
    return this.#edge?.[place.level]
  }

  async #tile(place: TilePlace): Promise<Layers> {
    const known = this.#atHand(place)
    if (known) return known
    const { level, index } = place
    const width = widthOf(level, index, this.size)
    if (width < tileWidth) {
      this.#edge = (await loadEdge(this.#store, this)).tails.map(layersOf)
      return this.#edge[level]!
    }
    const layers = layersOf(await readHashes(this.#store, { level, index, width }))
    // A full tile's hash stands in the tile above, which is verified in the same way, up to the edge.
    const [above] = await this.#tile({ level: level + 1, index: Math.floor(index / tileWidth) })
    if (!isEqual(layers[innerLevels]![0]!, above![index % tileWidth]!)) {
      const path = tilePath({ level, index, width })
      throw failure(
        'LOG_TILE_INVALID',
        `the tile ${path} is not what the checkpoint of size ${this.size} says`,
      )
    }
    if (this.#cache.size >= limits.logTilesRemembered) this.#cache.delete(this.#cache.keys().next().value!)
    this.#cache.set(keyOf(place), layers)
    return layers
  }
}

interface TilePlace {
  readonly level: number
  readonly index: number
}

/** Where the hash of a subtree stands: which tile, which layer above its hashes, and where in that. */
function placeOf({ level, index }: Subtree): TilePlace & { readonly layer: number; readonly at: number } {
  const layer = level % innerLevels
  const width = tileWidth / 2 ** layer
  return { level: (level - layer) / innerLevels, index: Math.floor(index / width), layer, at: index % width }
}

/** There are at most 7 levels of tiles below 2^53 leaves. */
const keyOf = ({ level, index }: TilePlace): number => index * 8 + level

function layersOf(hashes: readonly Uint8Array[]): Layers {
  const layers = [hashes]
  for (let last = hashes; last.length > 1; layers.push(last)) last = pairs(last)
  return layers
}
