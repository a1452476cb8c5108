import { type Json, type Limits, limits, parseJson } from '#base/index.ts'
import { type CallOptions, readVerified, type Source } from '#content/index.ts'
import { type Digest, type ImageManifest, isDigest, isObject, type Platform } from '#oci/index.ts'
import { failure } from './codes.ts'

/** How a container of an image is started (image-spec config.md, `config`). */
export interface Execution {
  readonly user: string
  readonly env: readonly string[]
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
  readonly workingDir: string
  readonly labels: Readonly<Record<string, string>>
  readonly exposedPorts: readonly string[]
  readonly volumes: readonly string[]
  readonly stopSignal?: string
}

/** An image's config, of either family (image-spec config.md). */
export interface ImageConfig {
  readonly platform: Platform
  readonly created?: string
  readonly author?: string
  readonly execution: Execution
  /** The digests of the layers' tar archives, before compression, lowest first. */
  readonly diffIds: readonly Digest[]
  /** The document as it is, with all that is not named above. */
  readonly json: Readonly<Record<string, Json>>
}

type ConfigLimits = Pick<Limits, 'imageConfigBytes' | 'graphWidth' | 'jsonDepth'>

/**
 * Reads the config that a manifest names.
 *
 * @throws IMAGE_CONFIG_INVALID, also where it has not one diff_id for each layer; CONTENT_NOT_FOUND,
 * DIGEST_MISMATCH, SIZE_MISMATCH, and the codes of `parseJson`
 */
export async function imageConfig(
  source: Pick<Source, 'open'>,
  manifest: Pick<ImageManifest, 'config' | 'layers'>,
  options: CallOptions & { readonly limits?: Limits | undefined } = {},
): Promise<ImageConfig> {
  const bounds = options.limits ?? limits
  const bytes = await readVerified(source, manifest.config, bounds.imageConfigBytes, options)
  const config = parseImageConfig(bytes, bounds)
  if (config.diffIds.length !== manifest.layers.length) {
    throw invalid(`it names ${config.diffIds.length} layers, but the manifest ${manifest.layers.length}`)
  }
  return config
}

/** @throws IMAGE_CONFIG_INVALID, and the codes of `parseJson` */
export function parseImageConfig(bytes: Uint8Array, bounds: ConfigLimits = limits): ImageConfig {
  const json = parseJson(bytes, { maxBytes: bounds.imageConfigBytes, maxDepth: bounds.jsonDepth })
  if (!isObject(json)) throw invalid('it is not an object')
  const { rootfs } = json
  if (!isObject(rootfs) || rootfs.type !== 'layers') throw invalid('its rootfs is not of the type "layers"')
  const diffIds = rootfs.diff_ids ?? []
  if (!Array.isArray(diffIds) || !diffIds.every(isDigest)) throw invalid('its diff_ids are not digests')
  if (diffIds.length > bounds.graphWidth) throw invalid(`it names ${diffIds.length} layers`)
  const created = text(json, 'created')
  const author = text(json, 'author')
  return {
    platform: platformOf(json),
    ...(created !== undefined && { created }),
    ...(author !== undefined && { author }),
    execution: executionOf(json.config ?? {}),
    diffIds: diffIds as unknown as Digest[],
    json,
  }
}

type Members = { [key: string]: Json }

function platformOf(json: Members): Platform {
  const variant = text(json, 'variant')
  const version = text(json, 'os.version')
  return {
    // Required by the specification, but left empty by tools that make artifacts.
    os: text(json, 'os') ?? '',
    architecture: text(json, 'architecture') ?? '',
    ...(variant && { variant }),
    ...(version && { 'os.version': version }),
    ...(json['os.features'] && { 'os.features': strings(json, 'os.features') }),
  }
}

function executionOf(json: Json): Execution {
  if (!isObject(json)) throw invalid('"config" is not an object')
  const stopSignal = text(json, 'StopSignal')
  return {
    user: text(json, 'User') ?? '',
    env: strings(json, 'Env'),
    entrypoint: strings(json, 'Entrypoint'),
    cmd: strings(json, 'Cmd'),
    workingDir: text(json, 'WorkingDir') ?? '',
    labels: labelsOf(json),
    exposedPorts: keys(json, 'ExposedPorts'),
    volumes: keys(json, 'Volumes'),
    ...(stopSignal && { stopSignal }),
  }
}

/** A text with a NUL would end early in whatever starts the container. */
const isText = (value: Json | undefined): value is string =>
  typeof value === 'string' && !value.includes('\0')

function text(json: Members, key: string): string | undefined {
  const value = json[key]
  if (value === undefined || value === null) return undefined
  if (!isText(value)) throw invalid(`"${key}" is not a text`)
  return value
}

function strings(json: Members, key: string): readonly string[] {
  const value = json[key]
  if (value === undefined || value === null) return []
  if (!Array.isArray(value) || !value.every(isText)) throw invalid(`"${key}" is not a list of texts`)
  return value as string[]
}

function keys(json: Members, key: string): readonly string[] {
  const value = json[key]
  if (value === undefined || value === null) return []
  if (!isObject(value) || !Object.keys(value).every(isText)) throw invalid(`"${key}" is not a set of names`)
  return Object.keys(value)
}

function labelsOf(json: Members): Readonly<Record<string, string>> {
  const value = json.Labels
  if (value === undefined || value === null) return {}
  if (!isObject(value) || !Object.values(value).every(isText)) throw invalid('"Labels" are not texts')
  return value as Record<string, string>
}

function invalid(why: string) {
  return failure('IMAGE_CONFIG_INVALID', `the config of the image is not valid: ${why}`)
}
