import { limits } from '#base/index.ts'
import { type CallOptions, readVerified, type Source } from '#content/index.ts'
import {
  type Descriptor,
  type ImageIndex,
  type ImageManifest,
  mediaTypes,
  parseManifest,
} from '#oci/index.ts'
import { parseBundle } from '../bundle-file.ts'
import type { CnabBundle } from '../bundle-schema.ts'
import { failure } from '../codes.ts'
import { isImageWithManifest } from '../relocation/mapping.ts'
import { annotations, bundleArtifactType, configMediaType, specConfigMediaType } from './format.ts'

/** A bundle found in a registry, layout or archive. */
export interface FoundBundle {
  readonly bundle: CnabBundle
  /** bundle.json as it was stored. */
  readonly bytes: Uint8Array
  readonly root: Descriptor
  readonly invocationImage: Descriptor
  /** By the names in `images`. */
  readonly components: ReadonlyMap<string, Descriptor>
}

const cnabConfigs = new Set<string>([configMediaType, specConfigMediaType])
const fallbackConfigs = new Set<string>([mediaTypes.ociConfig, mediaTypes.dockerConfig])

/** Whether an index says that it is a bundle, without reading more. */
export function isBundleIndex({ annotations: own = {}, manifests }: ImageIndex): boolean {
  return (
    own[annotations.artifactType] === bundleArtifactType ||
    own[annotations.runtimeVersion] !== undefined ||
    manifests.some((child) => child.annotations?.[annotations.manifestType] === 'config')
  )
}

/**
 * Reads a bundle from its index: in the form of cnab-to-oci, of the spec, or one of the two fallbacks (201). The
 * digests of the index and of the bundle must agree.
 *
 * @throws BUNDLE_INDEX_INVALID, and the codes of `parseBundle`, `parseManifest` and `readVerified`
 */
export async function readBundleIndex(
  source: Pick<Source, 'open'>,
  root: Descriptor,
  options: CallOptions = {},
): Promise<FoundBundle> {
  const index = parseManifest(await readVerified(source, root, limits.manifestBytes, options), root.mediaType)
  if (index.kind !== 'index' || !isBundleIndex(index)) {
    throw failure('BUNDLE_INDEX_INVALID', `${root.digest} is not the index of a CNAB bundle`)
  }
  const of = (role: string) =>
    index.manifests.filter((child) => child.annotations?.[annotations.manifestType] === role)
  const isAnnotated = index.manifests.some(
    (child) => child.annotations?.[annotations.manifestType] !== undefined,
  )
  // A registry that drops annotations of descriptors keeps their order.
  const config = isAnnotated ? of('config') : index.manifests.slice(0, 1)
  const invocation = isAnnotated ? of('invocation') : index.manifests.slice(1, 2)
  if (config.length !== 1 || invocation.length !== 1) {
    throw failure(
      'BUNDLE_INDEX_INVALID',
      `the index ${root.digest} has not one config and one invocation image`,
    )
  }
  const bytes = await readConfig(source, config[0] as Descriptor, options)
  const bundle = parseBundle(bytes)
  const components = componentsOf(
    bundle,
    isAnnotated ? of('component') : index.manifests.slice(2),
    isAnnotated,
  )
  const found = { bundle, bytes, root, invocationImage: invocation[0] as Descriptor, components }
  checkAgreement(found)
  return found
}

async function readConfig(
  source: Pick<Source, 'open'>,
  descriptor: Descriptor,
  options: CallOptions,
): Promise<Uint8Array> {
  const bytes = await readVerified(source, descriptor, limits.manifestBytes, options)
  const manifest = parseManifest(bytes, descriptor.mediaType)
  const isConfig = ({ mediaType }: Descriptor) => cnabConfigs.has(mediaType) || fallbackConfigs.has(mediaType)
  if (manifest.kind !== 'image' || !isConfig((manifest as ImageManifest).config)) {
    throw failure('BUNDLE_INDEX_INVALID', `${descriptor.digest} is not the config of a CNAB bundle`)
  }
  return readVerified(source, manifest.config, limits.bundleBytes, options)
}

function componentsOf(
  bundle: CnabBundle,
  descriptors: readonly Descriptor[],
  isAnnotated: boolean,
): Map<string, Descriptor> {
  const sorted = Object.keys(bundle.images ?? {}).sort()
  const components = new Map<string, Descriptor>()
  for (const [at, descriptor] of descriptors.entries()) {
    const name = isAnnotated ? descriptor.annotations?.[annotations.componentName] : sorted[at]
    if (name === undefined || !Object.hasOwn(bundle.images ?? {}, name) || components.has(name)) {
      throw failure(
        'BUNDLE_INDEX_INVALID',
        `the index names a component that the bundle does not have: ${name}`,
      )
    }
    components.set(name, descriptor)
  }
  const missing = sorted.filter((name) => !components.has(name))
  if (missing.length > 0) {
    throw failure('BUNDLE_INDEX_INVALID', `the index lacks the component ${missing.join(', ')}`)
  }
  return components
}

function checkAgreement({ bundle, invocationImage, components }: FoundBundle): void {
  const pairs = [
    [bundle.invocationImages[0], invocationImage] as const,
    ...[...components].map(([name, descriptor]) => [bundle.images?.[name], descriptor] as const),
  ]
  for (const [image, { digest }] of pairs) {
    if (!image || !isImageWithManifest(image.imageType) || image.contentDigest === undefined) continue
    if (image.contentDigest !== digest) {
      throw failure(
        'BUNDLE_INDEX_INVALID',
        `the index leads ${image.image} to ${digest}, not to ${image.contentDigest}`,
      )
    }
  }
}
