import { limits } from '#base/index.ts'
import type { CnabBundle, LocateImage, RelocationMapping } from '#bundle/index.ts'
import type { CallOptions } from '#content/index.ts'
import { type Descriptor, formatReference, isIndexType, parseReference, withDigest } from '#oci/index.ts'
import { failure } from './codes.ts'
import { readWhole } from './files.ts'
import { locationInside } from './locations.ts'
import type { Opened, OpenedRoot } from './open-location.ts'
import type { Session } from './session.ts'

/** A bundle, and the way to its images. */
export interface OpenedBundle {
  readonly bundle: CnabBundle
  /** bundle.json as it was found. */
  readonly bytes: Uint8Array
  /** Where it came from, pinned, where that has a name (CNAB 400, bundleReference). */
  readonly reference?: string
  /** The index that it was read from, where it was not a bundle.json. */
  readonly index?: OpenedRoot
  /** What it was found in, where that was no bundle.json alone. */
  readonly opened?: Opened
  /** Where its images are: beside it, or else where it names them. */
  readonly locate: LocateImage
}

/**
 * Opens a bundle.json, a thick bundle, or a bundle in a registry or layout.
 *
 * @param mapping where images are that are not beside the bundle
 * @throws LOCATION_INVALID where there is no bundle, and the codes of `parseBundle` and `readBundleIndex`
 */
export async function openBundle(
  session: Session,
  text: string,
  mapping?: RelocationMapping,
): Promise<OpenedBundle> {
  const { signal } = session
  const { parseBundle, locateIn } = await import('#bundle/index.ts')
  const location = await session.location(text)
  const elsewhere = locateInRegistries(session, mapping)
  if (location.kind === 'bundle') {
    const bytes = await readWhole(location.path, limits.bundleBytes)
    return { bundle: parseBundle(bytes), bytes, locate: once(elsewhere) }
  }
  const opened = await session.open(location)
  const found = await findBundle(opened, { signal })
  if (!found) throw failure('LOCATION_INVALID', `there is no bundle at ${text}`)
  const { container } = opened
  const { index } = found
  const beside = container ? locateIn(container) : index && locateBeside(index)
  return { ...found, opened, locate: once(beside ? firstOf(beside, elsewhere) : elsewhere) }
}

/** The bundle of what was opened: its bundle.json, or the one root that is the index of a bundle. */
export async function findBundle(
  opened: Opened,
  options: CallOptions,
): Promise<Omit<OpenedBundle, 'locate'> | undefined> {
  const { parseBundle, readBundleIndex } = await import('#bundle/index.ts')
  const found: Omit<OpenedBundle, 'locate'>[] = []
  for (const index of opened.roots) {
    if (!(await isBundle(index, options))) continue
    const { bundle, bytes } = await readBundleIndex(index.source, index.root, options)
    const reference = pinned(index)
    found.push({ bundle, bytes, index, ...(reference !== undefined && { reference }) })
  }
  const bytes = await opened.bundle(limits.bundleBytes)
  if (bytes) {
    const same = found.find((one) => Buffer.compare(one.bytes, bytes) === 0)
    return same ?? { bundle: parseBundle(bytes), bytes }
  }
  if (found.length > 1) {
    throw failure('USAGE', `there are ${found.length} bundles in ${opened.location.text}`, {
      hint: `Name one: ${found.map(({ index }) => locationInside(opened.location, index?.reference ?? index?.root.digest ?? '')).join(', ')}`,
    })
  }
  return found[0]
}

/** Whether a root is the index of a bundle (CNAB 201). */
export async function isBundle({ root, source }: OpenedRoot, options: CallOptions): Promise<boolean> {
  if (!isIndexType(root.mediaType)) return false
  const { isBundleIndex } = await import('#bundle/index.ts')
  const { readVerified } = await import('#content/index.ts')
  const { parseManifest } = await import('#oci/index.ts')
  const bytes = await readVerified(source, root, limits.manifestBytes, options)
  const manifest = parseManifest(bytes, root.mediaType)
  return manifest.kind === 'index' && isBundleIndex(manifest)
}

/** Images where the bundle names them, or where they were relocated to; always by digest where one is known. */
export function locateInRegistries(session: Session, mapping?: RelocationMapping): LocateImage {
  return async (image, options) => {
    const { manifestDigest } = await import('#bundle/index.ts')
    const place = mapping && Object.hasOwn(mapping, image.image) ? mapping[image.image] : undefined
    const reference = withDigest(parseReference(place ?? image.image), manifestDigest(image))
    const source = (await session.registries()).repository(reference)
    return { source, root: await source.resolve(reference.digest as string, options) }
  }
}

/** Each image is looked for once: what was judged is what is used, though a tag may move meanwhile. */
function once(locate: LocateImage): LocateImage {
  const known = new Map<string, ReturnType<LocateImage>>()
  return (image, options) => {
    const key = `${image.image} ${image.contentDigest}`
    const found = known.get(key) ?? locate(image, options)
    known.set(key, found)
    return found
  }
}

/** A bundle's images are in the repository of its index (201). */
function locateBeside({ source }: OpenedRoot): LocateImage {
  return async (image, options) => {
    const { manifestDigest } = await import('#bundle/index.ts')
    return { source, root: await source.resolve(manifestDigest(image), options) }
  }
}

function firstOf(first: LocateImage, second: LocateImage): LocateImage {
  return async (image, options) => {
    const { isFailure } = await import('#base/index.ts')
    try {
      return await first(image, options)
    } catch (error) {
      if (!isFailure(error, 'CONTENT_NOT_FOUND')) throw error
      // Where neither has it, what counts is that it is not beside the bundle.
      return await second(image, options).catch((second: unknown) => {
        throw isFailure(second, 'CONTENT_NOT_FOUND') || isFailure(second, 'REGISTRY_UNREACHABLE')
          ? error
          : second
      })
    }
  }
}

function pinned({ root, reference }: { root: Descriptor; reference?: string }): string | undefined {
  if (!reference?.includes('/')) return undefined
  const { registry, repository, tag } = parseReference(reference)
  const name = `${registry}/${repository}${tag === undefined ? '' : `:${tag}`}@${root.digest}`
  return formatReference(parseReference(name))
}
