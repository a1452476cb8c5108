import { isFailure } from '#base/index.ts'
import {
  bundleImages,
  type CnabBundle,
  locateChecked,
  openBundleGraph,
  type RelocationMapping,
} from '#bundle/index.ts'
import { parallel, type Referrers, type Source } from '#content/index.ts'
import { type Descriptor, makeReference, parseReference } from '#oci/index.ts'
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

async function bundleItems(
  { bundle, index, locate, reference }: OpenedBundle,
  session: Session,
  name: string | undefined,
): Promise<PackItem[]> {
  const { signal, concurrency } = session
  const images = bundleImages(bundle)
  const located = await parallel(images, concurrency, (image) => locateChecked(image, locate, { signal }))
  const items = located.map(({ root, source }, at) => {
    const { registry, repository, tag } = placeFor(images[at]!.image, bundle)
    return { root, source, repository: `${registry}/${repository}`, tag }
  })
  const own = parseReference(name ?? reference ?? defaultName(bundle))
  const place = { repository: `${own.registry}/${own.repository}`, tag: own.tag }
  if (index) return [...items, { ...place, root: index.root, source: index.source }]
  try {
    const graph = await openBundleGraph(bundle, locate, { signal })
    return [...items, { ...place, root: graph.root, source: graph.source }]
  } catch (error) {
    // 201 knows bundles of one invocation image only; bundle.json at the archive's root knows them all.
    if (isFailure(error, 'BUNDLE_INVALID') && bundle.invocationImages.length > 1) return items
    throw error
  }
}

/** A VM image or file is named by whatever its publisher liked. */
function placeFor(image: string, bundle: CnabBundle) {
  try {
    return parseReference(image)
  } catch (error) {
    if (!isFailure(error, 'REFERENCE_INVALID')) throw error
    return parseReference(defaultName(bundle).replace(/:[^:]*$/, ''))
  }
}

/** localhost/NAME:VERSION, in a registry's letters. */
function defaultName({ name, version }: CnabBundle): string {
  const repository = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
  const tag = version.replace(/[^\w.-]+/g, '_').slice(0, 128)
  const { registry, repository: path } = makeReference({
    registry: 'localhost',
    repository: repository || 'bundle',
  })
  return `${registry}/${path}:${tag}`
}
