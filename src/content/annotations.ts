/** The whole name of a root, where other tools look for it (image-spec annotations.md; containerd). */
export const refNameAnnotation = 'org.opencontainers.image.ref.name'
export const containerdNameAnnotation = 'io.containerd.image.name'
/** The repository of a root without a tag: referrers, and what was packed by digest alone. */
export const repositoryAnnotation = 'io.sealift.repository'
/** On an index whose other children were left out on purpose: the platforms that travelled. */
export const platformsAnnotation = 'io.sealift.platforms'
