/** Names and media types of CNAB in a registry (201), as cnab-to-oci writes them. */
export const annotations = {
  runtimeVersion: 'io.cnab.runtime_version',
  keywords: 'io.cnab.keywords',
  manifestType: 'io.cnab.manifest.type',
  componentName: 'io.cnab.component.name',
  artifactType: 'org.opencontainers.artifactType',
  title: 'org.opencontainers.image.title',
  version: 'org.opencontainers.image.version',
  description: 'org.opencontainers.image.description',
  authors: 'org.opencontainers.image.authors',
} as const

export const bundleArtifactType = 'application/vnd.cnab.manifest.v1'
/** What cnab-to-oci writes. */
export const configMediaType = 'application/vnd.cnab.config.v1+json'
/** What the spec says. */
export const specConfigMediaType = 'application/vnd.cnab.bundle.config.v1+json'
export type DescriptorRole = 'config' | 'invocation' | 'component'
