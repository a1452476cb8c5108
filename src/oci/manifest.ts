import { type Json, limits, parseJson } from '#base/index.ts'
import { failure } from './codes.ts'
import {
  type Annotations,
  type Descriptor,
  isMediaType,
  isObject,
  optionalAnnotations,
  parseDescriptor,
  refuseLookalikes,
} from './descriptor.ts'
import { isImageType, isIndexType, mediaTypes } from './media-types.ts'

const manifestMembers = new Set([
  'schemaVersion',
  'mediaType',
  'artifactType',
  'config',
  'layers',
  'manifests',
  'subject',
  'annotations',
])

interface Common {
  readonly mediaType: string
  readonly artifactType?: string
  readonly subject?: Descriptor
  readonly annotations?: Annotations
}

/** image-spec manifest.md, or Docker schema 2. */
export interface ImageManifest extends Common {
  readonly kind: 'image'
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
}

/** image-spec image-index.md, or a Docker manifest list. */
export interface ImageIndex extends Common {
  readonly kind: 'index'
  readonly manifests: readonly Descriptor[]
}

export type Manifest = ImageManifest | ImageIndex

export interface ManifestLimits {
  readonly manifestBytes: number
  readonly graphWidth: number
  readonly jsonDepth: number
}

/**
 * Parses a manifest or index of either family. The bytes stay what they are: nothing is converted, and what is
 * unknown inside stays in the bytes.
 *
 * @param mediaType what the registry or the descriptor calls it; where it is missing, the body tells, and a body
 * without `mediaType` is told by its members (cnab-to-oci writes such indexes).
 * @throws MANIFEST_INVALID, MANIFEST_UNSUPPORTED, DESCRIPTOR_INVALID, GRAPH_TOO_WIDE, and the codes of `parseJson`
 */
export function parseManifest(
  bytes: Uint8Array,
  mediaType?: string,
  bounds: ManifestLimits = limits,
): Manifest {
  const body = parseJson(bytes, { maxBytes: bounds.manifestBytes, maxDepth: bounds.jsonDepth })
  if (!isObject(body)) throw failure('MANIFEST_INVALID', 'the manifest is not a JSON object')
  refuseLookalikes(body, manifestMembers, 'MANIFEST_INVALID')
  if (body.schemaVersion === 1) throw failure('MANIFEST_UNSUPPORTED', 'the manifest is Docker schema 1')
  if (body.schemaVersion !== 2) throw failure('MANIFEST_INVALID', 'schemaVersion is not 2')
  const type = typeOf(body, mediaType)
  const common = {
    mediaType: type,
    ...(typeof body.artifactType === 'string' &&
      body.artifactType !== '' && { artifactType: body.artifactType }),
    ...(body.subject !== undefined && body.subject !== null && { subject: parseDescriptor(body.subject) }),
    ...optionalAnnotations(body.annotations),
  }
  if (isIndexType(type)) {
    // An index that is also an image is how two readers are made to see two things (CVE-2021-41190).
    if (body.config !== undefined || body.layers !== undefined) {
      throw failure('MANIFEST_INVALID', 'an index must not have "config" or "layers"')
    }
    return { kind: 'index', ...common, manifests: descriptors(body.manifests, 'manifests', bounds) }
  }
  if (body.manifests !== undefined) throw failure('MANIFEST_INVALID', 'an image must not have "manifests"')
  return {
    kind: 'image',
    ...common,
    config: parseDescriptor(body.config),
    // cnab-to-oci writes `layers: null`.
    layers: descriptors(body.layers, 'layers', bounds),
  }
}

/** What the manifest points down to, in its own order. The subject is not a child. */
export function childrenOf(manifest: Manifest): readonly Descriptor[] {
  return manifest.kind === 'index' ? manifest.manifests : [manifest.config, ...manifest.layers]
}

/** distribution-spec, Listing Referrers: the artifactType that a manifest has as a referrer. */
export function artifactTypeOf(manifest: Manifest): string | undefined {
  if (manifest.artifactType !== undefined) return manifest.artifactType
  return manifest.kind === 'image' ? manifest.config.mediaType : undefined
}

/** The descriptor that a referrers list holds for a manifest that names a subject. */
export function referrerDescriptor(
  manifest: Manifest,
  content: Pick<Descriptor, 'digest' | 'size'>,
): Descriptor {
  const artifactType = artifactTypeOf(manifest)
  return {
    mediaType: manifest.mediaType,
    digest: content.digest,
    size: content.size,
    ...(artifactType !== undefined && { artifactType }),
    ...(manifest.annotations && { annotations: manifest.annotations }),
  }
}

function typeOf(body: { [key: string]: Json }, mediaType: string | undefined): string {
  const own = body.mediaType === '' || body.mediaType === null ? undefined : body.mediaType
  if (own !== undefined && !isMediaType(own)) throw failure('MANIFEST_INVALID', 'mediaType is malformed')
  if (mediaType !== undefined && own !== undefined && mediaType !== own) {
    throw failure('MANIFEST_INVALID', `the manifest says it is ${own}, but is offered as ${mediaType}`)
  }
  const guess = Array.isArray(body.manifests) ? mediaTypes.ociIndex : mediaTypes.ociManifest
  const type = mediaType ?? own ?? guess
  if (!isImageType(type) && !isIndexType(type)) {
    throw failure(
      'MANIFEST_INVALID',
      `${JSON.stringify(type.slice(0, 200))} is not the media type of a manifest`,
    )
  }
  return type
}

function descriptors(value: Json | undefined, name: string, bounds: ManifestLimits): Descriptor[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw failure('MANIFEST_INVALID', `"${name}" is not a list`)
  if (value.length > bounds.graphWidth) {
    throw failure(
      'GRAPH_TOO_WIDE',
      `"${name}" has ${value.length} entries, over the limit of ${bounds.graphWidth}`,
    )
  }
  return value.map(parseDescriptor)
}
