import { canonicalJson, isFailure, type Limits, limits, type OnProgress } from '#base/index.ts'
import { bytesReader, type CallOptions, type Source, type Target } from '#content/index.ts'
import {
  type Annotations,
  type Descriptor,
  digestOf,
  isNonDistributable,
  mediaTypes,
  type Platform,
} from '#oci/index.ts'
import { failure } from './codes.ts'
import { compressionLevel, layerMediaType } from './compression.ts'
import { layerEntries } from './layer-entries.ts'
import { layerTar } from './layer-tar.ts'
import { hostArchitecture } from './machines.ts'
import { newConfig } from './new-config.ts'
import { type SelectedImage, selectImage } from './select-image.ts'
import type { ImageSpec, LayerCompression } from './spec.ts'
import { openSpool, type Spool, type SpoolOptions } from './spool.ts'
import { type WrittenLayer, writeLayer } from './write-layer.ts'

export interface BuildOptions extends CallOptions, SpoolOptions {
  /** The time of all files and of the image, in seconds since 1970; 0 where it is not said. See `sourceDateEpoch`. */
  readonly epochSeconds?: number
  /** Names that the target is to give the image. */
  readonly tags?: readonly string[]
  readonly onProgress?: OnProgress
  readonly limits?: Limits
}

interface Family {
  readonly name: 'oci' | 'docker'
  readonly manifest: string
  readonly config: string
}

const oci: Family = { name: 'oci', manifest: mediaTypes.ociManifest, config: mediaTypes.ociConfig }
const docker: Family = {
  name: 'docker',
  manifest: mediaTypes.dockerManifest,
  config: mediaTypes.dockerConfig,
}

/**
 * Builds an image into a target: layers first, then the config, and the manifest last. A base's layers are
 * carried as they are, and its family is kept: on a Docker image grows a Docker image.
 *
 * @returns the manifest's descriptor, with its platform
 * @throws IMAGE_SPEC_INVALID, IMAGE_FILE_UNSUITABLE, EXECUTABLE_INVALID, LIBRARY_MISSING, LIBRARY_CONFLICT, those of
 * `selectImage` for the base, and whatever the target throws
 */
export async function buildImage(
  spec: ImageSpec,
  target: Target,
  options: BuildOptions = {},
): Promise<Descriptor> {
  const { epochSeconds = 0, signal, tags = [] } = options
  if (!Number.isInteger(epochSeconds) || epochSeconds < 0 || epochSeconds > 0o77777777777) {
    throw failure('IMAGE_SPEC_INVALID', `${epochSeconds} is not a time that a layer can hold`)
  }
  const { compression = 'gzip', annotations } = spec
  const level = compressionLevel(compression, spec.compressionLevel)
  const base = spec.base && (await baseImage(spec.base, spec.platform, options))
  const platform = spec.platform ?? base?.config.platform ?? { os: 'linux', architecture: hostArchitecture() }
  const family = base?.manifest.mediaType === mediaTypes.dockerManifest ? docker : oci
  if (family === docker && annotations) {
    throw failure('IMAGE_SPEC_INVALID', 'the base is a Docker image, whose manifest has no annotations')
  }
  await using spools = new AsyncDisposableStack()
  const builder = new LayerBuilder(target, spools, { family, compression, level }, options)
  const directories = base ? undefined : new Set<string>()
  const layers: BuiltLayer[] = []
  for (const layer of spec.layers) {
    const entries = await layerEntries(layer, {
      architecture: platform.architecture,
      directories,
      limits: options.limits,
      signal,
    })
    layers.push(await builder.build(layerTar(entries, epochSeconds, signal)))
  }
  const created = new Date(epochSeconds * 1000).toISOString().replace('.000Z', 'Z')
  const added = layers.map(({ diffId }, at) => ({ diffId, comment: spec.layers[at]?.comment }))
  const config = document(newConfig(base?.config, platform, spec.config ?? {}, added, created), family.config)
  const carried = base?.manifest.layers ?? []
  const manifest = document(
    manifestOf(
      family,
      config.descriptor,
      [...carried, ...layers.map(({ descriptor }) => descriptor)],
      annotations,
    ),
    family.manifest,
  )
  const contents = [
    manifest.descriptor,
    config.descriptor,
    ...carried,
    ...layers.map(({ descriptor }) => descriptor),
  ]
  const unique = [...new Map(contents.map((content) => [content.digest, content])).values()]
  const taggings = tags.map((reference) => ({ manifest: manifest.descriptor, reference }))
  await target.prepare?.({ contents: unique, taggings, roots: [manifest.descriptor] }, { signal })
  for (const layer of carried) await carry(spec.base!.source, layer, target, signal)
  for (const { spool, descriptor } of layers) await spool.deliver(descriptor, { signal })
  for (const { descriptor, bytes } of [config, manifest]) {
    await target.write(descriptor, async (offset) => bytesReader(bytes.subarray(offset)), { signal })
  }
  for (const tag of tags) await target.tag(manifest.descriptor, tag, { signal })
  await target.commit?.({ signal })
  return { ...manifest.descriptor, platform }
}

/**
 * The time that SOURCE_DATE_EPOCH names (reproducible-builds.org), 0 where it is not set.
 *
 * @throws IMAGE_SPEC_INVALID
 */
export function sourceDateEpoch(env: Readonly<Record<string, string | undefined>>): number {
  const text = env.SOURCE_DATE_EPOCH
  if (text === undefined || text === '') return 0
  if (/^\d{1,12}$/.test(text)) return Number(text)
  throw failure('IMAGE_SPEC_INVALID', 'SOURCE_DATE_EPOCH is not a number of seconds')
}

async function baseImage(
  { source, root }: NonNullable<ImageSpec['base']>,
  platform: Platform | undefined,
  { signal, limits: bounds = limits }: BuildOptions,
): Promise<SelectedImage> {
  const wanted = platform ?? { os: 'linux', architecture: hostArchitecture() }
  return selectImage(source, root, wanted, { signal, limits: bounds })
}

interface BuiltLayer extends WrittenLayer {
  readonly spool: Spool
}

interface LayerPlan {
  readonly family: Family
  readonly compression: LayerCompression
  readonly level: number
}

class LayerBuilder {
  readonly #target: Target
  readonly #spools: AsyncDisposableStack
  readonly #plan: LayerPlan
  readonly #mediaType: string
  readonly #options: BuildOptions
  constructor(target: Target, spools: AsyncDisposableStack, plan: LayerPlan, options: BuildOptions) {
    this.#target = target
    this.#spools = spools
    this.#plan = plan
    this.#mediaType = layerMediaType(plan.family.name, plan.compression)
    this.#options = options
  }

  async build(tar: AsyncIterable<Uint8Array>): Promise<BuiltLayer> {
    const { signal, onProgress } = this.#options
    const spool = this.#spools.use(await openSpool(this.#target, this.#options))
    const layer = await writeLayer(tar, spool, {
      mediaType: this.#mediaType,
      compression: this.#plan.compression,
      level: this.#plan.level,
      signal,
      onBytes: (sizeBytes) => onProgress?.({ type: 'advance', sizeBytes }),
    })
    onProgress?.({
      type: 'done',
      what: layer.descriptor.digest,
      sizeBytes: layer.descriptor.size,
      how: 'built',
    })
    return { ...layer, spool }
  }
}

function manifestOf(
  family: Family,
  config: Descriptor,
  layers: readonly Descriptor[],
  annotations?: Annotations,
) {
  return { schemaVersion: 2, mediaType: family.manifest, config, layers, ...(annotations && { annotations }) }
}

/** Canonical, so that the digest does not hang on the order in which members were put together. */
function document(value: unknown, mediaType: string): { descriptor: Descriptor; bytes: Uint8Array } {
  const bytes = canonicalJson(value)
  return { bytes, descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length } }
}

async function carry(source: Source, layer: Descriptor, target: Target, signal: AbortSignal | undefined) {
  try {
    await target.write(layer, (offset) => source.open(layer, { offset }, { signal }), { signal })
  } catch (error) {
    // Such a layer need not be anywhere but at its urls.
    if (!(isNonDistributable(layer.mediaType) && isFailure(error, 'CONTENT_NOT_FOUND'))) throw error
  }
}
