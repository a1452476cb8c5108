import { failure } from './codes.ts'
import { emptyRoot, hashBytes, isEqual, leafHash, nodeHash } from './hash.ts'
import type { Tree } from './proof.ts'
import { foldSubtrees, type Subtree, subtreesOf } from './ranges.ts'
import { decodeBundle, encodeBundle, hashesAt, type Tile, tilePath, tileWidth, widthOf } from './tiles.ts'
import type { TileStore } from './types.ts'

/** What a tree grows from: all that is not in full tiles yet, and the hashes of its complete subtrees. */
export interface RightEdge {
  readonly size: number
  /** By tile level: the hashes of the last tile, while it is not full. */
  readonly tails: readonly (readonly Uint8Array[])[]
  /** The complete subtrees from the left: one for each bit of the size. */
  readonly frontier: readonly { readonly level: number; readonly hash: Uint8Array }[]
}

/** A tile and what is in it. */
export interface FilledTile extends Tile {
  readonly bytes: Uint8Array
}

/** What a tree gained: by tile level the hashes that came, level 0 being the leaves. */
export interface Growth {
  readonly edge: RightEdge
  readonly added: readonly (readonly Uint8Array[])[]
}

const tileLevels = Math.log2(tileWidth)

/** The root hash of the whole tree. */
export function edgeRoot({ frontier }: RightEdge): Uint8Array {
  return frontier.length === 0 ? emptyRoot : foldSubtrees(frontier.map(({ hash }) => hash))
}

/** The tree with these entries after its last one. */
export function extend(edge: RightEdge, entries: readonly Uint8Array[]): Growth {
  const frontier = [...edge.frontier]
  const added: Uint8Array[][] = [[]]
  for (const entry of entries) {
    let last = { level: 0, hash: leafHash(entry) }
    added[0]!.push(last.hash)
    while (frontier.at(-1)?.level === last.level) {
      last = { level: last.level + 1, hash: nodeHash(frontier.pop()!.hash, last.hash) }
      // The hash of a full tile is the next hash of the level above.
      if (last.level % tileLevels === 0) {
        added[last.level / tileLevels] ??= []
        added[last.level / tileLevels]!.push(last.hash)
      }
    }
    frontier.push(last)
  }
  const size = edge.size + entries.length
  const tails = added.map((hashes, level) => {
    const width = hashesAt(level, size) % tileWidth
    return width === 0 ? [] : [...(edge.tails[level] ?? []), ...hashes].slice(-width)
  })
  return { edge: { size, frontier, tails: [...tails, ...edge.tails.slice(tails.length)] }, added }
}

/** The tiles of hashes that are new or changed, full ones first on each level. */
export function grownTiles(edge: RightEdge, { added }: Growth): FilledTile[] {
  return added.flatMap((hashes, level) => {
    const all = [...(edge.tails[level] ?? []), ...hashes]
    return chunks(all, Math.floor(hashesAt(level, edge.size) / tileWidth), (part) => ({
      level,
      bytes: Buffer.concat(part),
    }))
  })
}

/** The entry bundles that are new or changed; `tail` are the entries of the last one, while it is not full. */
export function grownBundles(
  size: number,
  tail: readonly Uint8Array[],
  entries: readonly Uint8Array[],
): FilledTile[] {
  return chunks([...tail, ...entries], Math.floor(size / tileWidth), (part) => ({
    level: 'entries' as const,
    bytes: encodeBundle(part),
  }))
}

function chunks<T>(
  all: readonly T[],
  index: number,
  make: (part: readonly T[]) => Pick<FilledTile, 'level' | 'bytes'>,
): FilledTile[] {
  const tiles: FilledTile[] = []
  for (let at = 0; at < all.length; at += tileWidth) {
    const part = all.slice(at, at + tileWidth)
    tiles.push({ ...make(part), index: index + at / tileWidth, width: part.length })
  }
  return tiles
}

/**
 * The edge of a tree from its tiles, verified: together they give the root.
 *
 * @throws LOG_TILE_INVALID
 */
export async function loadEdge(store: TileStore, { size, root }: Tree): Promise<RightEdge> {
  const reads: Promise<Uint8Array[]>[] = []
  for (let level = 0; hashesAt(level, size) > 0; level++) {
    const count = hashesAt(level, size)
    const tile = { level, index: Math.floor(count / tileWidth), width: count % tileWidth }
    reads.push(tile.width === 0 ? Promise.resolve([]) : readHashes(store, tile))
  }
  const tails = await Promise.all(reads)
  const frontier = tails.toReversed().flatMap((hashes, at) => {
    const level = tails.length - 1 - at
    return subtreesOf({ from: 0, to: hashes.length }).map((subtree) => ({
      level: level * tileLevels + subtree.level,
      hash: hashOf(hashes, subtree),
    }))
  })
  const edge = { size, tails, frontier }
  if (!isEqual(edgeRoot(edge), root)) {
    throw failure('LOG_TILE_INVALID', `the tiles at the right edge do not give the root of size ${size}`)
  }
  return edge
}

/** The entries of the last bundle, while it is not full. @throws LOG_TILE_INVALID */
export async function loadTail(store: TileStore, { size, tails }: RightEdge): Promise<Uint8Array[]> {
  const index = Math.floor(size / tileWidth)
  const width = widthOf(0, index, size)
  return width === 0 ? [] : readEntries(store, { index, width }, tails[0] ?? [])
}

/** The hashes of one tile; nothing is verified but their number. @throws LOG_TILE_INVALID */
export async function readHashes(store: TileStore, tile: Tile): Promise<Uint8Array[]> {
  const bytes = await readTile(store, tile, tile.width * hashBytes)
  if (bytes.length < tile.width * hashBytes) {
    throw failure('LOG_TILE_INVALID', `the tile ${tilePath(tile)} is cut short`)
  }
  return Array.from({ length: tile.width }, (_, at) => bytes.subarray(at * hashBytes, (at + 1) * hashBytes))
}

/** The entries of one bundle, held against the hashes of its leaves. @throws LOG_TILE_INVALID */
export async function readEntries(
  store: TileStore,
  { index, width }: Omit<Tile, 'level'>,
  leaves: readonly Uint8Array[],
): Promise<Uint8Array[]> {
  const tile = { level: 'entries', index, width } as const
  const entries = decodeBundle(await readTile(store, tile, width * (2 + 0xffff)), width)
  const wrong = entries.findIndex((entry, at) => !isEqual(leafHash(entry), leaves[at]!))
  if (wrong >= 0) {
    throw failure('LOG_TILE_INVALID', `entry ${index * tileWidth + wrong} is not the one that was logged`)
  }
  return entries
}

/** A partial tile may be gone where it has become a full one, which begins with it (C2SP tlog-tiles, Partial Tiles). */
async function readTile(store: TileStore, tile: Tile, maxBytes: number): Promise<Uint8Array> {
  const bytes =
    (await store.read(tilePath(tile), maxBytes)) ??
    (tile.width < tileWidth ? await store.read(tilePath({ ...tile, width: tileWidth }), maxBytes) : undefined)
  if (!bytes) throw failure('LOG_TILE_INVALID', `the tile ${tilePath(tile)} is missing`)
  return bytes
}

function hashOf(hashes: readonly Uint8Array[], { level, index }: Subtree): Uint8Array {
  let layer = hashes.slice(index * 2 ** level, (index + 1) * 2 ** level)
  while (layer.length > 1) layer = pairs(layer)
  return layer[0]!
}

/** The layer of nodes above; a last one without a sibling has none. */
export function pairs(layer: readonly Uint8Array[]): Uint8Array[] {
  return Array.from({ length: Math.floor(layer.length / 2) }, (_, at) =>
    nodeHash(layer[2 * at]!, layer[2 * at + 1]!),
  )
}
