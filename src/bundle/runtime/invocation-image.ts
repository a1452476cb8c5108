import { type Platform, parsePlatform, platformMatches } from '#oci/index.ts'
import type { CnabBundle, InvocationImage } from '../bundle-schema.ts'
import { failure } from '../codes.ts'
import { bundleImages, digestIn, isImageWithManifest, type RelocationMapping } from '../relocation/mapping.ts'
import type { ImageLocation } from './operation.ts'

/**
 * The first invocation image that the driver runs and whose labels, where it has them, name this platform; no other
 * one is ever tried (102).
 *
 * @throws INVOCATION_IMAGE_UNSUPPORTED
 */
export function chooseInvocationImage(
  bundle: CnabBundle,
  imageTypes: readonly string[],
  platform: Platform,
): InvocationImage {
  const found = bundle.invocationImages.find(
    ({ imageType = 'oci', labels = {} }) => imageTypes.includes(imageType) && suits(labels, platform),
  )
  if (found) return found
  const offered = bundle.invocationImages.map(({ image, imageType = 'oci' }) => `${image} (${imageType})`)
  throw failure(
    'INVOCATION_IMAGE_UNSUPPORTED',
    `none of the invocation images can run here: ${offered.join(', ')}`,
  )
}

function suits(labels: Readonly<Record<string, string>>, platform: Platform): boolean {
  const { os, architecture, variant } = labels
  if (os === undefined || architecture === undefined)
    return os === undefined || os.toLowerCase() === platform.os
  return platformMatches(parsePlatform([os, architecture, ...(variant ? [variant] : [])].join('/')), platform)
}

/** The reference to run it from: relocated where there is a mapping. */
export function placeOf(image: InvocationImage, mapping: RelocationMapping | undefined): string {
  return (mapping && Object.hasOwn(mapping, image.image) ? mapping[image.image] : undefined) ?? image.image
}

/**
 * What is known before anything is fetched: a reference that names another digest than `contentDigest` is a bundle
 * that contradicts itself.
 *
 * @throws IMAGE_DIGEST
 */
export function checkDigests(bundle: CnabBundle): void {
  for (const { image, imageType, contentDigest, at } of bundleImages(bundle)) {
    const named = isImageWithManifest(imageType) ? digestIn(image) : undefined
    if (named !== undefined && contentDigest !== undefined && named !== contentDigest) {
      throw failure('IMAGE_DIGEST', `${at} names ${named}, but its contentDigest is ${contentDigest}`)
    }
  }
}

/** Whether what was found is what the bundle promises (102: validated before any action). @throws IMAGE_DIGEST */
export function checkContentDigest(image: InvocationImage, { root }: ImageLocation): void {
  const expected = image.contentDigest ?? digestIn(image.image)
  if (expected !== undefined && root.digest !== expected) {
    throw failure(
      'IMAGE_DIGEST',
      `the invocation image ${image.image} has the digest ${root.digest}, not ${expected}`,
      {
        detail: { expected, actual: root.digest },
      },
    )
  }
}
