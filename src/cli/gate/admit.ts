import type { Json } from '#base/index.ts'
import type { LocateImage } from '#bundle/index.ts'
import type { Action } from '#gate/index.ts'
import type { Descriptor } from '#oci/index.ts'
import type { OpenedBundle } from '../open-bundle.ts'
import type { Opened, OpenedRoot } from '../open-location.ts'
import type { PackItem } from '../pack-list.ts'
import { allHolders, archiveHolders, indexHolders } from './holders.ts'
import type { OpenedGate } from './open-gate.ts'
import { type Candidate, subjectsOf, withoutCompanions } from './subjects.ts'

interface Named {
  readonly root: Descriptor
  readonly source: OpenedRoot['source']
  readonly reference: string
}

/** The roots of a location, under the names that they will have. @throws NOT_ADMITTED */
export async function admitRoots(
  gate: OpenedGate,
  action: Action,
  opened: Opened,
  roots: readonly Named[],
): Promise<void> {
  const holders = await archiveHolders(opened)
  const own = await withoutCompanions(roots, gate.signal)
  const candidates = own.map(
    async ({ root, source, reference }): Promise<Candidate> => ({
      root,
      source,
      reference,
      within: await holders(root.digest),
    }),
  )
  await gate.admit(action, await subjectsOf(await Promise.all(candidates), gate.signal))
}

/** What goes into an archive, under the names that it has there. @throws NOT_ADMITTED */
export async function admitItems(
  gate: OpenedGate,
  action: Action,
  items: readonly PackItem[],
): Promise<void> {
  const own = await withoutCompanions(items, gate.signal)
  const candidates = own.map(({ root, source, repository, tag }) => ({
    root,
    source,
    reference: tag === undefined ? repository : `${repository}:${tag}`,
  }))
  await gate.admit(action, await subjectsOf(candidates, gate.signal))
}

/**
 * Images of a bundle, under the names that they have or will have here. What proves the bundle's index, or the
 * archive that it came in, proves them.
 *
 * @throws NOT_ADMITTED, and the codes of locating an image
 */
export async function admitImages(
  gate: OpenedGate,
  action: Action,
  bundle: OpenedBundle,
  images: readonly { readonly image: Parameters<LocateImage>[0]; readonly reference: string }[],
  context: { readonly [name: string]: Json } = {},
): Promise<void> {
  const { signal } = gate
  const inArchive = await archiveHolders(bundle.opened)
  const holders = bundle.index ? allHolders(await indexHolders(bundle.index, signal), inArchive) : inArchive
  const candidates: Candidate[] = []
  for (const { image, reference } of images) {
    const { root, source } = await bundle.locate(image, { signal })
    candidates.push({ root, source, reference, within: await holders(root.digest) })
  }
  const { name, version } = bundle.bundle
  await gate.admit(action, await subjectsOf(candidates, signal), { ...context, bundle: { name, version } })
}
