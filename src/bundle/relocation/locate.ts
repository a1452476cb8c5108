import { limits } from '#base/index.ts'
import {
  type CallOptions,
  type Container,
  type Referrers,
  readVerified,
  type Source,
} from '#content/index.ts'
import { type Descriptor, parseManifest } from '#oci/index.ts'
import type { BundleImage } from '../bundle-schema.ts'
import { failure } from '../codes.ts'
import { isImageWithManifest } from './mapping.ts'
import { manifestDigest } from './plan.ts'

/** Where an image is, to be copied from. */
export interface LocatedImage {
  readonly source: Source | (Source & Referrers)
  readonly root: Descriptor
}

/** Finds an image of a bundle: in a registry where it is thin, in an archive where it is thick. */
export type LocateImage = (image: BundleImage, options: CallOptions) => Promise<LocatedImage>

/** Finds images in a layout or archive, by the digest of their manifest. @throws CONTENT_NOT_FOUND, IMAGE_UNPINNED */
export function locateIn(container: Pick<Container, 'source'>): LocateImage {
  return async (image, options) => {
    const digest = manifestDigest(image)
    const root = await container.source.find(digest, options)
    // `resolve` fails in the words of the container.
    return { source: container.source, root: root ?? (await container.source.resolve(digest, options)) }
  }
}

/**
 * Finds an image and checks that it is what the bundle promises (101, contentDigest): the digest of the manifest
 * for images; for VM images and files, that of the one file which the manifest holds.
 *
 * @throws IMAGE_DIGEST, and what `locate` throws
 */
export async function locateChecked(
  image: BundleImage,
  locate: LocateImage,
  options: CallOptions,
): Promise<LocatedImage> {
  const located = await locate(image, options)
  const { contentDigest, imageType } = image
  const fail = (actual: string) =>
    failure('IMAGE_DIGEST', `${image.image} has the digest ${actual}, not ${contentDigest}`, {
      detail: { image: image.image, expected: contentDigest, actual },
    })
  if (contentDigest === undefined) return located
  if (isImageWithManifest(imageType)) {
    if (located.root.digest !== contentDigest) throw fail(located.root.digest)
    return located
  }
  const bytes = await readVerified(located.source, located.root, limits.manifestBytes, options)
  const manifest = parseManifest(bytes, located.root.mediaType)
  const files = manifest.kind === 'image' ? manifest.layers : []
  if (files.length !== 1 || files[0]?.digest !== contentDigest) {
    throw fail(files.map(({ digest }) => digest).join(', ') || 'of no file')
  }
  return located
}
