import type { Json } from '#base/index.ts'
import { failure } from './codes.ts'
import { type Digest, isDigest } from './digest.ts'
import type { Platform } from './platform.ts'

export type Annotations = Readonly<Record<string, string>>

/** image-spec descriptor.md. `size` is in bytes, as the spec names it. */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: Digest
  readonly size: number
  readonly urls?: readonly string[]
  readonly annotations?: Annotations
  readonly artifactType?: string
  readonly platform?: Platform
  /** The content itself, base64. */
  readonly data?: string
}

// RFC 6838 section 4.2, with the generous lengths that registries accept, and at most one parameter: the first
// Sigstore bundles are layers of `application/vnd.dev.sigstore.bundle+json;version=0.1`.
const mediaTypeGrammar =
  /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}(; ?[A-Za-z0-9-]{1,32}=[A-Za-z0-9._-]{1,64})?$/

export function isMediaType(text: unknown): text is string {
  return typeof text === 'string' && mediaTypeGrammar.test(text)
}

/** Keeps unknown members out, known ones checked. @throws DESCRIPTOR_INVALID */
export function parseDescriptor(value: Json | undefined): Descriptor {
  if (!isObject(value)) throw failure('DESCRIPTOR_INVALID', 'a descriptor is not an object')
  refuseLookalikes(value, descriptorMembers, 'DESCRIPTOR_INVALID')
  const { mediaType, digest, size } = value
  if (!isMediaType(mediaType)) throw failure('DESCRIPTOR_INVALID', 'a descriptor has no valid mediaType')
  if (!isDigest(digest)) throw failure('DESCRIPTOR_INVALID', 'a descriptor has no valid digest')
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw failure('DESCRIPTOR_INVALID', `the descriptor of ${digest} has no valid size`)
  }
  return {
    mediaType,
    digest,
    size,
    ...(isStrings(value.urls) && { urls: value.urls }),
    ...optionalAnnotations(value.annotations),
    ...(typeof value.artifactType === 'string' && { artifactType: value.artifactType }),
    ...optionalPlatform(value.platform),
    ...(typeof value.data === 'string' && { data: value.data }),
  }
}

/** Annotations as an object to spread; `null` counts as absent. @throws DESCRIPTOR_INVALID */
export function optionalAnnotations(value: Json | undefined): { annotations?: Annotations } {
  if (value === undefined || value === null) return {}
  if (!isObject(value) || !Object.values(value).every((v) => typeof v === 'string')) {
    throw failure('DESCRIPTOR_INVALID', 'annotations must map strings to strings')
  }
  return { annotations: value as Record<string, string> }
}

export function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isStrings(value: Json | undefined): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function optionalPlatform(value: Json | undefined): { platform?: Platform } {
  if (!isObject(value)) return {}
  const { os, architecture, variant } = value
  if (typeof os !== 'string' || typeof architecture !== 'string') return {}
  const version = value['os.version']
  const features = value['os.features']
  return {
    platform: {
      os,
      architecture,
      ...(typeof variant === 'string' && { variant }),
      ...(typeof version === 'string' && { 'os.version': version }),
      ...(isStrings(features) && { 'os.features': features }),
    },
  }
}

const descriptorMembers = new Set([
  'mediaType',
  'digest',
  'size',
  'urls',
  'annotations',
  'artifactType',
  'platform',
  'data',
])

/**
 * Go's encoding/json takes `Layers` for `layers`, and JavaScript does not: a document that tells each of them
 * something else is refused.
 */
export function refuseLookalikes(
  value: { readonly [key: string]: Json },
  members: ReadonlySet<string>,
  code: 'DESCRIPTOR_INVALID' | 'MANIFEST_INVALID',
): void {
  for (const key of Object.keys(value)) {
    if (members.has(key)) continue
    const folded = key.normalize('NFKC').toLowerCase()
    for (const member of members) {
      if (member.toLowerCase() === folded)
        throw failure(code, `a member is spelled like "${member}", but not quite`)
    }
  }
}
