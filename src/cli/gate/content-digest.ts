import type { Digest } from '#oci/index.ts'
import { failure } from '../codes.ts'
import type { Session } from '../session.ts'

/** The one digest that a location stands for: its root, where it has one. @throws USAGE where it has several */
export async function contentDigest(session: Session, text: string): Promise<Digest> {
  const opened = await session.open(await session.location(text))
  const { findBundle } = await import('../open-bundle.ts')
  const bundle = await findBundle(opened, { signal: session.signal })
  if (bundle?.index) return bundle.index.root.digest
  const digests = [...new Set(opened.roots.map(({ root }) => root.digest))]
  const [only, ...others] = digests
  if (only === undefined || others.length > 0) {
    throw failure('USAGE', `${text} holds ${digests.length} contents; name one of them`)
  }
  return only
}
