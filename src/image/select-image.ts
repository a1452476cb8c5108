import { type Limits, limits } from '#base/index.ts'
import { type CallOptions, readVerified, type Source } from '#content/index.ts'
import {
  type Descriptor,
  type Digest,
  formatPlatform,
  type ImageIndex,
  type ImageManifest,
  isManifestType,
  type Platform,
  parseManifest,
  platformMatches,
} from '#oci/index.ts'
import { failure } from './codes.ts'
import { type ImageConfig, imageConfig } from './image-config.ts'

/** One image for one platform: what was chosen, and both documents that describe it. */
export interface SelectedImage {
  readonly descriptor: Descriptor
  readonly manifest: ImageManifest
  readonly config: ImageConfig
}

/**
 * Goes from a root, an index or one image, to the image for a platform. An index's own order decides between
 * several that match (image-spec image-index.md). A manifest that does not say its platform is asked through its
 * config, and one whose config leaves it empty is taken.
 *
 * @throws PLATFORM_NOT_FOUND, IMAGE_CONFIG_INVALID, CONTENT_NOT_FOUND, GRAPH_TOO_WIDE, and the codes of
 * `parseManifest` and `readVerified`
 */
export async function selectImage(
  source: Pick<Source, 'open'>,
  root: Descriptor,
  platform: Platform,
  options: CallOptions & { readonly limits?: Limits | undefined } = {},
): Promise<SelectedImage> {
  const seen: string[] = []
  const found = await search(source, root, platform, { ...options, seen, visited: new Set(), depth: 0 })
  if (found) return found
  const offered = [...new Set(seen)].join(', ') || 'none'
  throw failure(
    'PLATFORM_NOT_FOUND',
    `${root.digest} is not for ${formatPlatform(platform)}; it is for: ${offered}`,
    {
      detail: { offered: [...new Set(seen)] },
    },
  )
}

interface Search extends CallOptions {
  readonly limits?: Limits | undefined
  readonly seen: string[]
  /** An index may name others again and again: each is read once. */
  readonly visited: Set<Digest>
  readonly depth: number
}

async function search(
  source: Pick<Source, 'open'>,
  descriptor: Descriptor,
  platform: Platform,
  options: Search,
): Promise<SelectedImage | undefined> {
  const bounds = options.limits ?? limits
  if (options.depth > bounds.graphDepth) {
    throw failure('IMAGE_CONFIG_INVALID', `indexes are nested deeper than ${bounds.graphDepth} levels`)
  }
  if (options.visited.has(descriptor.digest)) return undefined
  options.visited.add(descriptor.digest)
  const bytes = await readVerified(source, descriptor, bounds.manifestBytes, options)
  const manifest = parseManifest(bytes, descriptor.mediaType, bounds)
  if (manifest.kind === 'image') {
    const config = await imageConfig(source, manifest, options)
    if (matches(platform, config.platform)) return { descriptor, manifest, config }
    options.seen.push(formatPlatform(config.platform))
    return undefined
  }
  for (const child of candidates(manifest, platform, options.seen)) {
    const found = await search(source, child, platform, { ...options, depth: options.depth + 1 })
    if (found) return found
  }
  return undefined
}

/** Those that say they match first, then those that say nothing. Attestations and artifacts are not images. */
function candidates(index: ImageIndex, wanted: Platform, seen: string[]): readonly Descriptor[] {
  const matching: Descriptor[] = []
  const silent: Descriptor[] = []
  for (const child of index.manifests) {
    if (!isManifestType(child.mediaType) || child.artifactType !== undefined) continue
    if (child.platform === undefined) silent.push(child)
    else if (platformMatches(wanted, child.platform)) matching.push(child)
    else if (child.platform.os !== 'unknown') seen.push(formatPlatform(child.platform))
  }
  return [...matching, ...silent]
}

function matches(wanted: Platform, offered: Platform): boolean {
  if (offered.os === '' && offered.architecture === '') return true
  // Some builders write the variant into the index only.
  const { variant, ...plain } = wanted
  return platformMatches(offered.variant === undefined || variant === undefined ? plain : wanted, offered)
}
