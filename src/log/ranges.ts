import { nodeHash } from './hash.ts'

// Sizes go up to 2^53, so none of this may use the operators on 32 bits.

/** The leaves from `from` up to `to` (exclusive), whose hash is one node of some tree (RFC 6962 section 2.1). */
export interface LeafRange {
  readonly from: number
  readonly to: number
}

/** A complete subtree: its 2^level leaves begin at index * 2^level. */
export interface Subtree {
  readonly level: number
  readonly index: number
}

/** The complete subtrees that a range consists of, from the left; `from` must be aligned as nodes are. */
export function subtreesOf({ from, to }: LeafRange): Subtree[] {
  const subtrees: Subtree[] = []
  for (let at = from; at < to; ) {
    const level = floorLog2(to - at)
    const width = 2 ** level
    subtrees.push({ level, index: at / width })
    at += width
  }
  return subtrees
}

/** The hash over a range from those of its complete subtrees, from the left. */
export function foldSubtrees(hashes: readonly Uint8Array[]): Uint8Array {
  return hashes.reduceRight((right, left) => nodeHash(left, right))
}

/** What an inclusion proof consists of, the leaf's sibling first (RFC 6962 section 2.1.1). `index` < `size`. */
export function inclusionRanges(index: number, size: number): LeafRange[] {
  const ranges: LeafRange[] = []
  let from = 0
  let to = size
  while (to - from > 1) {
    const middle = from + splitOf(to - from)
    if (index < middle) {
      ranges.push({ from: middle, to })
      to = middle
    } else {
      ranges.push({ from, to: middle })
      from = middle
    }
  }
  return ranges.reverse()
}

/** What a consistency proof consists of (RFC 6962 section 2.1.2). 0 < `old` <= `size`. */
export function consistencyRanges(old: number, size: number): LeafRange[] {
  const ranges: LeafRange[] = []
  let from = 0
  let to = size
  while (to !== old) {
    const middle = from + splitOf(to - from)
    if (old <= middle) {
      ranges.push({ from: middle, to })
      to = middle
    } else {
      ranges.push({ from, to: middle })
      from = middle
    }
  }
  // Where the old tree is a subtree from the first leaf on, its hash is the old root, which the verifier has.
  if (from > 0) ranges.push({ from, to })
  return ranges.reverse()
}

/** The largest power of two below `size` (> 1). */
function splitOf(size: number): number {
  return 2 ** floorLog2(size - 1)
}

/** Exact up to 2^53, unlike Math.log2. */
export function floorLog2(value: number): number {
  const high = Math.floor(value / 2 ** 32)
  return high > 0 ? 63 - Math.clz32(high) : 31 - Math.clz32(value)
}
