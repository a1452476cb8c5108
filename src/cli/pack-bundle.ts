import { isFailure } from '#base/index.ts'
import { bundleImages, type CnabBundle, locateChecked, openBundleGraph } from '#bundle/index.ts'
import { parallel } from '#content/index.ts'
import { makeReference, parseReference } from '#oci/index.ts'
import type { OpenedBundle } from './open-bundle.ts'
import type { PackItem } from './pack-list.ts'
import type { Session } from './session.ts'

/** A bundle's images, each under its own name, and its index under the bundle's. Loaded only where there is one. */
export async function bundleItems(
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
