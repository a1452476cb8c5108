/** The media types that Sealift has to know; all others are carried as they are. */
export const mediaTypes = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
  ociLayerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  ociLayerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  /** image-spec manifest.md, Guidelines for Artifact Usage: the config that is `{}`. */
  empty: 'application/vnd.oci.empty.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar',
  dockerLayerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  dockerManifest1: 'application/vnd.docker.distribution.manifest.v1+json',
  dockerManifest1Signed: 'application/vnd.docker.distribution.manifest.v1+prettyjws',
  octets: 'application/octet-stream',
} as const

const images: ReadonlySet<string> = new Set([mediaTypes.ociManifest, mediaTypes.dockerManifest])
const indexes: ReadonlySet<string> = new Set([mediaTypes.ociIndex, mediaTypes.dockerIndex])

export const isImageType = (mediaType: string): boolean => images.has(mediaType)
export const isIndexType = (mediaType: string): boolean => indexes.has(mediaType)

/** Whether content of this type is a manifest whose children a copy must follow. */
export const isManifestType = (mediaType: string): boolean => isImageType(mediaType) || isIndexType(mediaType)

/** Layers that need not be present (image-spec layer.md, Non-Distributable Layers; Docker's foreign layers). */
export const isNonDistributable = (mediaType: string): boolean =>
  mediaType.startsWith('application/vnd.oci.image.layer.nondistributable.') ||
  mediaType === 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'
