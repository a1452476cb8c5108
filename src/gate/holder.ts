import { childrenOf, type Digest, digestOf, parseManifest } from '#oci/index.ts'
import type { Proof } from '#trust/index.ts'
import { failure } from './codes.ts'
import type { Holder } from './types.ts'

/**
 * An index or manifest that names the child by its digest: seen from its bytes, never believed.
 *
 * @throws NOT_HELD, and the codes of `parseManifest`
 */
export function manifestHolder(
  child: Digest,
  parent: { readonly mediaType: string; readonly bytes: Uint8Array },
  proofs: readonly Proof[],
): Holder {
  const { mediaType, bytes } = parent
  const digest = digestOf(bytes)
  const children = childrenOf(parseManifest(bytes, mediaType))
  if (!children.some((descriptor) => descriptor.digest === child)) {
    throw failure('NOT_HELD', `${digest} does not name ${child}, so its proofs say nothing about it`)
  }
  return { digest, mediaType, proofs } as Holder
}

/**
 * The index of an archive, as its reader verified it, and whether the child is in it.
 *
 * @throws NOT_HELD
 */
export function archiveHolder(
  child: Digest,
  archive: { readonly digest: Digest; readonly mediaType: string; holds(digest: Digest): boolean },
  proofs: readonly Proof[],
): Holder {
  const { digest, mediaType } = archive
  if (!archive.holds(child)) throw failure('NOT_HELD', `the archive does not hold ${child}`)
  return { digest, mediaType, proofs } as Holder
}
