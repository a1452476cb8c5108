import type { Digest } from '#oci/index.ts'
import { failure } from '../codes.ts'
import type { Session } from '../session.ts'
import { isArchive } from './holders.ts'

/**
 * The one digest that a location stands for: its bundle or its only content, or the index of an archive that is
 * signed as a whole.
 *
 * @throws USAGE where it has several
 */
export async function contentDigest(session: Session, text: string): Promise<Digest> {
  const opened = await session.open(await session.location(text))
  const { findBundle } = await import('../open-bundle.ts')
  const bundle = await findBundle(opened, { signal: session.signal })
  if (bundle?.index) return bundle.index.root.digest
  const { proofPlaces } = await import('../proof-places.ts')
  const digests = new Set((await proofPlaces(session, opened)).map(({ subject }) => subject.digest))
  const [only, ...others] = digests
  if (only !== undefined && others.length === 0) return only
  const { container } = opened
  if (container && isArchive(container)) {
    const { gatherArchiveProofs } = await import('#trust/index.ts')
    const signed = (await gatherArchiveProofs(container)).at(-1)
    if (signed) return signed.root
  }
  throw failure('USAGE', `${text} holds ${digests.size} contents; name one of them`, {
    hint: 'Sign the archive as a whole (`sealift sign`), or name one of them: LOCATION:REFERENCE.',
  })
}
