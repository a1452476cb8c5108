import { bytesReader, type CallOptions, type Target } from '#content/index.ts'
import { type Descriptor, digestOf, isDigest, mediaTypes } from '#oci/index.ts'
import { formatBundle } from '../bundle-file.ts'
import type { BundleImage, CnabBundle } from '../bundle-schema.ts'
import { failure } from '../codes.ts'
import { isImageWithManifest } from '../relocation/mapping.ts'
import { annotations, bundleArtifactType, configMediaType, type DescriptorRole } from './format.ts'

/**
 * How the bundle's config is dressed: `cnab` with its own media type, and two fallbacks for registries that refuse
 * it, as cnab-to-oci tries them one after the other.
 */
export type ConfigDress = 'cnab' | 'oci' | 'docker'
export const configDresses: readonly ConfigDress[] = ['cnab', 'oci', 'docker']

export interface Document {
  readonly descriptor: Descriptor
  readonly bytes: Uint8Array
}

/** A bundle as registries hold it (201). */
export interface BundleIndex {
  /** The index. */
  readonly root: Document
  readonly configManifest: Document
  /** bundle.json, canonical. */
  readonly config: Document
}

/** Tells the manifest of an image; what the bundle itself says is used where it is enough. */
export type DescribeImage = (image: BundleImage) => Descriptor | undefined

/**
 * Makes the index of a bundle, byte for byte the same each time: config, invocation image, then components by name.
 *
 * @throws BUNDLE_INVALID where there are several invocation images (201 knows one), IMAGE_UNPINNED where the
 * manifest of an image is not known
 */
export function bundleToIndex(
  bundle: CnabBundle,
  describe: DescribeImage = () => undefined,
  dress: ConfigDress = 'cnab',
): BundleIndex {
  const [invocation, ...others] = bundle.invocationImages
  if (!invocation || others.length > 0) {
    throw failure('BUNDLE_INVALID', 'a registry holds bundles of exactly one invocation image (201)')
  }
  const type = { cnab: configMediaType, oci: mediaTypes.ociConfig, docker: mediaTypes.dockerConfig }[dress]
  const config = document(type, formatBundle(bundle))
  const configManifest = manifestOf(config.descriptor, dress)
  const of = (image: BundleImage, role: DescriptorRole, name?: string) =>
    entry(describe(image) ?? describedBy(image), role, name)
  const components = Object.entries(bundle.images ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
  const body = {
    schemaVersion: 2,
    ...(dress === 'docker' && { mediaType: mediaTypes.dockerIndex }),
    manifests: [
      entry(configManifest.descriptor, 'config'),
      of(invocation, 'invocation'),
      ...components.map(([name, image]) => of(image, 'component', name)),
    ],
    annotations: indexAnnotations(bundle),
  }
  const indexType = dress === 'docker' ? mediaTypes.dockerIndex : mediaTypes.ociIndex
  return { root: document(indexType, goJson(body)), configManifest, config }
}

/** Writes the three documents, children first; the images must be in the target already. */
export async function writeBundleIndex(
  { root, configManifest, config }: BundleIndex,
  target: Target,
  options: CallOptions & { readonly tags?: readonly string[] } = {},
): Promise<void> {
  for (const { descriptor, bytes } of [config, configManifest, root]) {
    await target.write(descriptor, async (offset) => bytesReader(bytes.subarray(offset)), options)
  }
  for (const tag of options.tags ?? []) await target.tag(root.descriptor, tag, options)
}

/** What the bundle says of an image is its manifest's descriptor, if it has a manifest and says all. */
function describedBy({ image, imageType, contentDigest, mediaType, size }: BundleImage): Descriptor {
  if (
    isImageWithManifest(imageType) &&
    isDigest(contentDigest) &&
    mediaType !== undefined &&
    size !== undefined
  ) {
    return { mediaType, digest: contentDigest, size }
  }
  throw failure(
    'IMAGE_UNPINNED',
    `the bundle does not tell digest, size and media type of the manifest of ${image}`,
  )
}

function manifestOf(config: Descriptor, dress: ConfigDress): Document {
  if (dress !== 'docker') {
    return document(mediaTypes.ociManifest, goJson({ schemaVersion: 2, config: plain(config), layers: null }))
  }
  // A registry of that time wants a layer, so the config is named again as one.
  const body = {
    schemaVersion: 2,
    mediaType: mediaTypes.dockerManifest,
    config: plain(config),
    layers: [plain(config)],
  }
  return document(mediaTypes.dockerManifest, goJson(body))
}

function entry(descriptor: Descriptor, role: DescriptorRole, name?: string): object {
  const labels = {
    ...(name !== undefined && { [annotations.componentName]: name }),
    [annotations.manifestType]: role,
  }
  return { ...plain(descriptor), annotations: labels }
}

/** The members in Go's order. */
const plain = ({ mediaType, digest, size }: Descriptor) => ({ mediaType, digest, size })

function indexAnnotations(bundle: CnabBundle): Record<string, string> {
  const { schemaVersion, name, version, description = '', maintainers, keywords } = bundle
  const all: Record<string, string> = {
    [annotations.runtimeVersion]: schemaVersion,
    [annotations.title]: name,
    [annotations.version]: version,
    [annotations.description]: description,
    [annotations.artifactType]: bundleArtifactType,
    ...(maintainers && {
      [annotations.authors]: goText(
        maintainers.map(({ name, email = '', url = '' }) => ({ name, email, url })),
      ),
    }),
    ...(keywords && { [annotations.keywords]: goText(keywords) }),
  }
  return Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** JSON as Go writes it: in the order of the members, with what HTML could take for itself escaped. */
function goText(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

const goJson = (value: unknown): Uint8Array => Buffer.from(goText(value))

function document(mediaType: string, bytes: Uint8Array): Document {
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, bytes }
}
