import { canonicalJson, limits, parseJson } from '#base/index.ts'
import { isObject, parseReference } from '#oci/index.ts'
import type { CnabBundle } from '../bundle-schema.ts'
import { failure } from '../codes.ts'

/** Where images were moved to: original reference to relocated one (103, Image Relocation). */
export type RelocationMapping = Readonly<Record<string, string>>

/** Reads a relocation-mapping.json. @throws RELOCATION_INVALID, and the codes of `parseJson` */
export function parseRelocationMapping(bytes: Uint8Array): RelocationMapping {
  const value = parseJson(bytes, { maxBytes: limits.bundleBytes })
  if (!isObject(value)) throw failure('RELOCATION_INVALID', 'the relocation mapping is not an object')
  for (const [original, relocated] of Object.entries(value)) {
    if (typeof relocated !== 'string' || relocated === '') {
      throw failure(
        'RELOCATION_INVALID',
        `the relocation mapping of ${JSON.stringify(original)} is not a text`,
      )
    }
  }
  return value as Record<string, string>
}

/** The file as it is mounted and written: flat, canonical. */
export const formatRelocationMapping = (mapping: RelocationMapping): Uint8Array => canonicalJson(mapping)

/** All images of a bundle, invocation images first, each with the place where the bundle names it. */
export function bundleImages(bundle: CnabBundle) {
  return [
    ...bundle.invocationImages.map((image, at) => ({ ...image, at: `/invocationImages/${at}`, name: '' })),
    ...Object.entries(bundle.images ?? {}).map(([name, image]) => ({
      ...image,
      at: `/images/${name}`,
      name,
    })),
  ]
}

/** Image types whose `contentDigest` is that of the manifest; for all others it is that of the file (101). */
export const isImageWithManifest = (imageType: string | undefined): boolean =>
  imageType === undefined || imageType === 'oci' || imageType === 'docker'

/**
 * Checks that a mapping holds every image of the bundle (103) and that what it leads to is not said to have
 * another digest than the bundle promises. Content is validated where it is read.
 *
 * @throws RELOCATION_INVALID
 */
export function checkMapping(bundle: CnabBundle, mapping: RelocationMapping): void {
  for (const { image, imageType, contentDigest, at } of bundleImages(bundle)) {
    if (!Object.hasOwn(mapping, image)) {
      throw failure('RELOCATION_INVALID', `the relocation mapping does not hold ${image} (${at})`)
    }
    if (!isImageWithManifest(imageType)) continue
    const digest = digestIn(mapping[image] as string)
    const expected = contentDigest ?? digestIn(image)
    if (digest !== undefined && expected !== undefined && digest !== expected) {
      throw failure(
        'RELOCATION_INVALID',
        `the relocation mapping leads ${image} to ${digest}, not to ${expected}`,
      )
    }
  }
}

/** The digest that a reference names; undefined where it names none, or is of another kind of place. */
export function digestIn(reference: string): string | undefined {
  try {
    return parseReference(reference).digest
  } catch {
    return undefined
  }
}
