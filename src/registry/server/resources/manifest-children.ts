import { parallel, type Repository } from '#content/index.ts'
import { childrenOf, type Descriptor, isNonDistributable, type Manifest } from '#oci/index.ts'
import type { Sparse } from '../context.ts'
import { Refusal } from '../refusal.ts'

/** How many look-ups at once: they are small reads of the same disk. */
const concurrency = 16

/**
 * What a manifest names and this repository lacks, where that is allowed.
 *
 * @throws Refusal 404 MANIFEST_BLOB_UNKNOWN where it is not: the spec's promise that what is tagged can be pulled
 */
export async function absentChildren(
  repository: Pick<Repository, 'find'>,
  manifest: Manifest,
  sparse: Sparse,
): Promise<readonly Descriptor[]> {
  const expected = childrenOf(manifest).filter(({ mediaType }) => !isNonDistributable(mediaType))
  const found = await parallel(expected, concurrency, ({ digest }) => repository.find(digest))
  const absent = expected.filter((_, at) => found[at] === undefined)
  const allowed = sparse === 'manifests' || (sparse === 'indexes' && manifest.kind === 'index')
  if (absent.length > 0 && !allowed) {
    throw new Refusal(
      404,
      'MANIFEST_BLOB_UNKNOWN',
      'the manifest names content that is not in the repository',
      {
        detail: absent.slice(0, 100).map(({ digest, mediaType, size }) => ({ digest, mediaType, size })),
      },
    )
  }
  return absent
}
