import { type Descriptor, type Manifest, mediaTypes } from '#oci/index.ts'
import { formOfLayer } from '#trust/index.ts'

const imageConfigs: ReadonlySet<string> = new Set([mediaTypes.ociConfig, mediaTypes.dockerConfig])

/** cosign's manifests under tags: nothing in them but signatures, which harm nobody. */
export function isOnlyProof(manifest: Manifest): boolean {
  if (manifest.kind !== 'image' || manifest.layers.length === 0) return false
  return manifest.layers.every(({ mediaType }) => formOfLayer(mediaType) !== undefined)
}

/**
 * What a referrer is about. An image that names a subject is still an image and is asked about itself: to point at
 * something that is admitted must not be a way in.
 */
export function companionOf(manifest: Manifest): Descriptor | undefined {
  if (manifest.kind !== 'image' || imageConfigs.has(manifest.config.mediaType)) return undefined
  return manifest.subject
}

/** Whether a manifest travels with something else, and is not let in for itself. */
export const isCompanion = (manifest: Manifest): boolean =>
  isOnlyProof(manifest) || companionOf(manifest) !== undefined
