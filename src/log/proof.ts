import { failure } from './codes.ts'
import { emptyRoot, hashBytes, isEqual, nodeHash } from './hash.ts'

/** What a tree consists of: its size and root hash. */
export interface Tree {
  readonly size: number
  readonly root: Uint8Array
}

/**
 * Whether a leaf's hash stands at `index` of the tree (RFC 9162 section 2.1.3.2, which is RFC 6962's, spelled out).
 *
 * @throws LOG_PROOF_INVALID
 */
export function verifyInclusion(
  leaf: Uint8Array,
  index: number,
  tree: Tree,
  proof: readonly Uint8Array[],
): void {
  const refuse = (why: string) => failure('LOG_PROOF_INVALID', `the inclusion proof is not valid: ${why}`)
  if (!Number.isSafeInteger(index) || index < 0) throw refuse(`no index: ${index}`)
  if (!Number.isSafeInteger(tree.size) || index >= tree.size) {
    throw refuse(`index ${index} is beyond a tree of size ${tree.size}`)
  }
  assertHashes([leaf, ...proof], refuse)
  let hash = leaf
  let at = index
  let last = tree.size - 1
  for (const sibling of proof) {
    if (last === 0) throw refuse('it is too long')
    if (isOdd(at) || at === last) {
      hash = nodeHash(sibling, hash)
      while (!isOdd(at) && at !== 0) {
        at = half(at)
        last = half(last)
      }
    } else hash = nodeHash(hash, sibling)
    at = half(at)
    last = half(last)
  }
  if (last !== 0) throw refuse('it is too short')
  if (!isEqual(hash, tree.root)) throw refuse('it leads to another root')
}

/**
 * Whether `tree` continues `old` (RFC 9162 section 2.1.4.2).
 *
 * @throws LOG_PROOF_INVALID
 */
export function verifyConsistency(old: Tree, tree: Tree, proof: readonly Uint8Array[]): void {
  const refuse = (why: string) => failure('LOG_PROOF_INVALID', `the consistency proof is not valid: ${why}`)
  for (const { size } of [old, tree]) {
    if (!Number.isSafeInteger(size) || size < 0) throw refuse(`no size: ${size}`)
  }
  if (old.size > tree.size) throw refuse(`it leads from size ${old.size} back to ${tree.size}`)
  assertHashes([old.root, tree.root, ...proof], refuse)
  if (old.size === 0 || old.size === tree.size) {
    if (proof.length > 0) throw refuse('it is too long')
    if (old.size === 0 && !isEqual(old.root, emptyRoot)) throw refuse('the empty tree has another root')
    if (old.size === tree.size && !isEqual(old.root, tree.root)) throw refuse('the roots differ')
    return
  }
  let at = old.size - 1
  let last = tree.size - 1
  while (isOdd(at)) {
    at = half(at)
    last = half(last)
  }
  // An old tree that is a whole subtree is its own first hash.
  const [first, ...rest] = at === 0 ? [old.root, ...proof] : proof
  if (!first) throw refuse('it is too short')
  let oldHash = first
  let hash = first
  for (const sibling of rest) {
    if (last === 0) throw refuse('it is too long')
    if (isOdd(at) || at === last) {
      oldHash = nodeHash(sibling, oldHash)
      hash = nodeHash(sibling, hash)
      while (!isOdd(at) && at !== 0) {
        at = half(at)
        last = half(last)
      }
    } else hash = nodeHash(hash, sibling)
    at = half(at)
    last = half(last)
  }
  if (last !== 0) throw refuse('it is too short')
  if (!isEqual(oldHash, old.root)) throw refuse('it does not begin at the old root')
  if (!isEqual(hash, tree.root)) throw refuse('it leads to another root')
}

function assertHashes(hashes: readonly Uint8Array[], refuse: (why: string) => Error): void {
  if (hashes.some(({ length }) => length !== hashBytes)) throw refuse('a hash does not have 32 bytes')
}

const isOdd = (value: number): boolean => value % 2 === 1
const half = (value: number): number => Math.floor(value / 2)
