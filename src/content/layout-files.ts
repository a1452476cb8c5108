import { canonicalJson } from '#base/index.ts'
import { type Descriptor, type Digest, digestAlgorithm, digestHex, mediaTypes } from '#oci/index.ts'

/** Where a blob is in an OCI image layout (image-spec image-layout.md). */
export const layoutBlobPath = (digest: Digest): string =>
  `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`

/** The two small files of an OCI image layout over these roots. The same roots give the same bytes. */
export function layoutFiles(roots: readonly Descriptor[]): { path: string; bytes: Uint8Array }[] {
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: roots }
  return [
    { path: 'oci-layout', bytes: canonicalJson({ imageLayoutVersion: '1.0.0' }) },
    { path: 'index.json', bytes: canonicalJson(index) },
  ]
}
