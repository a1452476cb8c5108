import { createHash } from 'node:crypto'

const leafPrefix = Buffer.of(0)
const nodePrefix = Buffer.of(1)

/** RFC 6962 section 2.1. */
export const leafHash = (entry: Uint8Array) => createHash('sha256').update(leafPrefix).update(entry).digest()

const nodeHash = (left: Uint8Array, right: Uint8Array) =>
  createHash('sha256').update(nodePrefix).update(left).update(right).digest()

/** The root that an inclusion proof leads to, or undefined where the proof has another length than it must have (RFC 9162 section 2.1.3.2). */
export function rootFromInclusion(
  leaf: Uint8Array,
  index: bigint,
  size: bigint,
  proof: readonly Uint8Array[],
): Uint8Array | undefined {
  if (index < 0n || index >= size) return undefined
  let node = index
  let last = size - 1n
  let hash = leaf
  for (const sibling of proof) {
    if (last === 0n) return undefined
    if ((node & 1n) === 1n || node === last) {
      hash = nodeHash(sibling, hash)
      while ((node & 1n) === 0n && node !== 0n) {
        node >>= 1n
        last >>= 1n
      }
    } else {
      hash = nodeHash(hash, sibling)
    }
    node >>= 1n
    last >>= 1n
  }
  return last === 0n ? hash : undefined
}
