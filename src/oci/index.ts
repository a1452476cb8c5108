export { codes } from './codes.ts'
export { type Annotations, type Descriptor, isMediaType, isObject, parseDescriptor } from './descriptor.ts'
export {
  type Digest,
  type DigestAlgorithm,
  Digester,
  digestAlgorithm,
  digestHex,
  digestOf,
  isDigest,
  parseDigest,
} from './digest.ts'
export { hostName, isLoopback } from './loopback.ts'
export {
  artifactTypeOf,
  childrenOf,
  type ImageIndex,
  type ImageManifest,
  type Manifest,
  type ManifestLimits,
  parseManifest,
  referrerDescriptor,
} from './manifest.ts'
export { isImageType, isIndexType, isManifestType, isNonDistributable, mediaTypes } from './media-types.ts'
export { formatPlatform, type Platform, parsePlatform, platformMatches } from './platform.ts'
export {
  familiarReference,
  formatReference,
  isRegistryHost,
  isRepositoryName,
  isTag,
  makeReference,
  parseReference,
  type Reference,
  withDigest,
} from './reference.ts'
