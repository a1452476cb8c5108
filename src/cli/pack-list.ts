import type { RelocationMapping } from '#bundle/index.ts'
import { parallel, type Referrers, type Source } from '#content/index.ts'
import type { Descriptor } from '#oci/index.ts'
import { failure } from './codes.ts'
import { isBundle, type OpenedBundle, openBundle } from './open-bundle.ts'
import { type OpenedRoot, repositoryName, tagIn } from './open-location.ts'
import type { Session } from './session.ts'

/** One root for the archive, in the repository that it is found in there. */
export interface PackItem {
  readonly root: Descriptor
  readonly source: Source | (Source & Referrers)
  /** HOST/PATH. */
  readonly repository: string
  readonly tag?: string | undefined
}

export interface PackList {
  readonly items: readonly PackItem[]
  readonly bundles: readonly OpenedBundle[]
}

/** The images of bundles come before the bundles, so that an index finds all that it names. */
export async function packList(
  session: Session,
  texts: readonly string[],
  options: { readonly name?: string; readonly mapping?: RelocationMapping },
): Promise<PackList> {
  const items: PackItem[] = []
  const bundles: OpenedBundle[] = []
  const { signal } = session
  for (const text of texts) {
    const location = await session.location(text)
    const opened = location.kind === 'bundle' ? undefined : await session.open(location)
    const roots = opened?.roots ?? []
    const holdsBundle =
      location.kind === 'bundle' ||
      (await parallel(roots, 4, (root) => isBundle(root, { signal }))).includes(true)
    if (holdsBundle) {
      const bundle = await openBundle(session, text, options.mapping)
      const { bundleItems } = await import('./pack-bundle.ts')
      bundles.push(bundle)
      items.push(...(await bundleItems(bundle, session, options.name)))
    } else items.push(...roots.map((root) => itemOf(root, text)))
  }
  if (options.name !== undefined && bundles.length !== 1) {
    throw failure('USAGE', `--name is for the one bundle in the archive, but there are ${bundles.length}`)
  }
  return { items, bundles }
}

function itemOf({ root, source, reference }: OpenedRoot, text: string): PackItem {
  const repository = repositoryName(root, reference)
  if (repository === undefined) {
    throw failure('USAGE', `${reference ?? root.digest} in ${text} has no whole name (HOST/REPOSITORY)`, {
      hint: 'Give it one on the way: sealift copy SOURCE archive:FILE.tgz:HOST/REPOSITORY:TAG',
    })
  }
  return { root, source, repository, tag: tagIn(reference) }
}
