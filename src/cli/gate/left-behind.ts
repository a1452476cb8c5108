import { isFailure } from '#base/index.ts'
import { type Referrers, type Source, walk } from '#content/index.ts'
import { type Descriptor, isManifestType } from '#oci/index.ts'
import type { Opened } from '../open-location.ts'
import type { Session } from '../session.ts'

/** A content that was left behind. */
export interface LeftBehind {
  readonly kind: 'missing'
  readonly what: string
  readonly why: string
}

/**
 * What a source reaches, proofs of proofs included, and a copy of it does not hold. Only manifests of the source are
 * read; of the copy it is asked whether it is there.
 */
export async function leftBehind(session: Session, source: Opened, copy: Opened): Promise<LeftBehind[]> {
  const { signal, concurrency } = session
  const missing = new Map<string, LeftBehind>()
  for (const { root, source: repository } of source.roots) {
    const { nodes, companions } = await walk(root, repository, { signal, concurrency })
    const proofs = new Set(companions.map(({ node }) => node.descriptor.digest))
    for (const { descriptor, isManifest } of nodes) {
      const { digest } = descriptor
      if (missing.has(digest) || (await isIn(copy, descriptor, isManifest, signal))) continue
      const what = proofs.has(digest) ? 'a signature, SBOM or other referrer' : 'content'
      missing.set(digest, {
        kind: 'missing',
        what: `${descriptor.mediaType} ${digest}`,
        why: `${what} of ${source.location.text} that was left behind`,
      })
    }
  }
  return [...missing.values()]
}

async function isIn(
  copy: Opened,
  content: Descriptor,
  isManifest: boolean,
  signal: AbortSignal,
): Promise<boolean> {
  if (copy.container) return (await copy.container.source.find(content.digest, { signal })) !== undefined
  for (const { source } of copy.roots) if (await answers(source, content, isManifest, signal)) return true
  return false
}

async function answers(
  source: Source | (Source & Referrers),
  content: Descriptor,
  isManifest: boolean,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    if (isManifest || isManifestType(content.mediaType)) await source.resolve(content.digest, { signal })
    else await (await source.open(content, { offset: 0, length: 1 }, { signal })).close()
    return true
  } catch (error) {
    if (isFailure(error, 'CONTENT_NOT_FOUND')) return false
    throw error
  }
}
