import type { Holder, Subject } from '#gate/index.ts'
import type { Descriptor } from '#oci/index.ts'
import type { Proof } from '#trust/index.ts'
import type { OpenedRoot } from '../open-location.ts'

/** A content that is about to be let in: where its proofs are, and the name that it will have. */
export interface Candidate {
  readonly root: Descriptor
  readonly source: OpenedRoot['source']
  /** HOST/REPOSITORY[:TAG]; a tag is no part of what a pattern of a policy is held against. */
  readonly reference: string
  readonly within?: readonly Holder[]
}

/** Those that are let in for themselves: signatures and what else belongs to another content go with that. */
export async function withoutCompanions<T extends Pick<Candidate, 'root' | 'source'>>(
  roots: readonly T[],
  signal: AbortSignal,
): Promise<T[]> {
  const { parallel, readVerified } = await import('#content/index.ts')
  const { isCompanion } = await import('#gate/index.ts')
  const { isManifestType, parseManifest } = await import('#oci/index.ts')
  const { limits } = await import('#base/index.ts')
  const kept = await parallel(roots, 8, async ({ root, source }) => {
    if (!isManifestType(root.mediaType)) return true
    const bytes = await readVerified(source, root, limits.manifestBytes, { signal })
    return !isCompanion(parseManifest(bytes, root.mediaType))
  })
  return roots.filter((_, at) => kept[at])
}

/** Candidates with every proof that is there for them. @throws PROOF_TOO_MANY, and what the source throws */
export async function subjectsOf(candidates: readonly Candidate[], signal: AbortSignal): Promise<Subject[]> {
  const { parallel } = await import('#content/index.ts')
  return parallel(candidates, 4, async ({ root, source, reference, within }) => ({
    digest: root.digest,
    mediaType: root.mediaType,
    reference: reference.replace(/@.*$/, ''),
    proofs: await proofsFor(root, source, signal),
    ...(within && { within }),
  }))
}

/** All proofs of one content; none where the source cannot tell. */
export async function proofsFor(
  root: Descriptor,
  source: OpenedRoot['source'],
  signal: AbortSignal,
): Promise<Proof[]> {
  if (!('referrers' in source)) return []
  const { gatherProofs } = await import('#trust/index.ts')
  return Array.fromAsync(gatherProofs(source, root, { signal }))
}
