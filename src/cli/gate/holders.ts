import type { ArchiveContainer, Container } from '#content/index.ts'
import type { Holder } from '#gate/index.ts'
import { type Descriptor, type Digest, isIndexType } from '#oci/index.ts'
import type { Opened, OpenedRoot } from '../open-location.ts'
import { proofsFor } from './subjects.ts'

/** What holds the contents of a location: for each of them, the proofs of what it came in count too. */
export type Holders = (content: Digest) => Promise<readonly Holder[]>

const archiveIndexType = 'application/vnd.sealift.archive.index.v1+json'

export const isArchive = (container: Container): container is ArchiveContainer => 'generations' in container

/** The signed states of an archive; nothing where the location is none. */
export async function archiveHolders(opened: Pick<Opened, 'container'> | undefined): Promise<Holders> {
  const container = opened?.container
  if (!container || !isArchive(container)) return async () => []
  const { gatherArchiveProofs } = await import('#trust/index.ts')
  const { archiveHolder } = await import('#gate/index.ts')
  const states = await gatherArchiveProofs(container)
  const signed = states.map(({ root, proofs, added }) => {
    const later = new Set(added)
    const holds = (digest: Digest) => container.reader.blob(digest) !== undefined && !later.has(digest)
    return { index: { digest: root, mediaType: archiveIndexType, holds }, proofs }
  })
  return async (content) =>
    signed.flatMap(({ index, proofs }) =>
      index.holds(content) ? [archiveHolder(content, index, proofs)] : [],
    )
}

/** An index of the location that names the content, with its proofs. */
export async function indexHolders(
  { root, source }: Pick<OpenedRoot, 'root' | 'source'>,
  signal: AbortSignal,
): Promise<Holders> {
  if (!isIndexType(root.mediaType)) return async () => []
  const { readVerified } = await import('#content/index.ts')
  const { limits } = await import('#base/index.ts')
  const { manifestHolder } = await import('#gate/index.ts')
  const { childrenOf, parseManifest } = await import('#oci/index.ts')
  const bytes = await readVerified(source, root, limits.manifestBytes, { signal })
  const named = new Set(
    childrenOf(parseManifest(bytes, root.mediaType)).map(({ digest }: Descriptor) => digest),
  )
  const proofs = await proofsFor(root, source, signal)
  const parent = { mediaType: root.mediaType, bytes }
  return async (content) => (named.has(content) ? [manifestHolder(content, parent, proofs)] : [])
}

/** All of them, in this order. */
export const allHolders =
  (...each: readonly Holders[]): Holders =>
  async (content) =>
    (await Promise.all(each.map((holders) => holders(content)))).flat()
