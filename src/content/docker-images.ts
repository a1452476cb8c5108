import { canonicalJson, type Json, parseJson } from '#base/index.ts'
import {
  type Descriptor,
  type Digest,
  Digester,
  digestAlgorithm,
  digestOf,
  formatReference,
  isDigest,
  isObject,
  mediaTypes,
  parseReference,
} from '#oci/index.ts'
import { failure } from './codes.ts'
import { type Compression, compressionOf, unpacked } from './spool.ts'
import type { TarArchive } from './tar-archive.ts'
import type { TarFile } from './tar-index.ts'
import type { CallOptions } from './types.ts'

/** The list of images in a docker-archive (moby, image/spec/v1.2: "Combined Image JSON + Filesystem Changeset"). */
export const dockerManifestPath = 'manifest.json'

/** One image of a docker-archive as an OCI image. */
export interface DockerImage {
  readonly manifest: Descriptor
  readonly manifestBytes: Uint8Array
  /** Whole names. */
  readonly references: readonly string[]
  /** Its config and layers. */
  readonly files: readonly { readonly descriptor: Descriptor; readonly file: TarFile }[]
}

const layerTypes = {
  none: mediaTypes.ociLayer,
  gzip: mediaTypes.ociLayerGzip,
  zstd: mediaTypes.ociLayerZstd,
} as const

/** @throws ARCHIVE_INVALID, ARCHIVE_HOSTILE, CONTENT_DAMAGED */
export async function readDockerImages(tar: TarArchive, options: CallOptions = {}): Promise<DockerImage[]> {
  const maxBytes = tar.limits.manifestBytes
  const bytes = await tar.read(dockerManifestPath, maxBytes)
  if (!bytes) throw invalid(tar, `it holds no ${dockerManifestPath}`)
  const list = parseJson(bytes, { maxBytes })
  if (!Array.isArray(list)) throw invalid(tar, `${dockerManifestPath} is not a list`)
  const layers = new Layers(tar, options)
  const images: DockerImage[] = []
  for (const entry of list) images.push(await readImage(tar, entry, layers))
  return images
}

async function readImage(tar: TarArchive, entry: Json, layers: Layers): Promise<DockerImage> {
  if (!isObject(entry) || typeof entry.Config !== 'string') {
    throw invalid(tar, `${dockerManifestPath} has an image without a config`)
  }
  const paths = strings(tar, entry.Layers, 'Layers')
  if (paths.length > tar.limits.graphWidth) {
    throw failure('ARCHIVE_HOSTILE', `an image in ${tar.path} has ${paths.length} layers`)
  }
  const config = await readConfig(tar, entry.Config)
  if (config.diffIds.length !== paths.length) {
    throw invalid(
      tar,
      `an image has ${paths.length} layers, but its config tells of ${config.diffIds.length}`,
    )
  }
  const files = [config]
  for (const [at, path] of paths.entries()) {
    files.push({ ...(await layers.read(path, config.diffIds[at] as Digest)), diffIds: [] })
  }
  const manifestBytes = canonicalJson({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: config.descriptor,
    layers: files.slice(1).map(({ descriptor }) => descriptor),
  })
  return {
    manifest: {
      mediaType: mediaTypes.ociManifest,
      digest: digestOf(manifestBytes),
      size: manifestBytes.length,
    },
    manifestBytes,
    references: strings(tar, entry.RepoTags, 'RepoTags').map((tag) => wholeName(tar, tag)),
    files,
  }
}

/** The config, whose file is named after its digest by every tool there is. */
async function readConfig(tar: TarArchive, path: string) {
  const file = fileAt(tar, path)
  const maxBytes = tar.limits.imageConfigBytes
  const bytes = await tar.bytes(file, maxBytes)
  const digest = digestOf(bytes)
  const named = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/.exec(path)?.[1]
  if (named !== undefined && digest !== `sha256:${named}`) {
    throw failure('CONTENT_DAMAGED', `the config ${path} in ${tar.path} has the digest ${digest}`)
  }
  const body = parseJson(bytes, { maxBytes })
  const rootfs = isObject(body) ? body.rootfs : undefined
  // An image without any layer may leave the list out.
  const diffIds = isObject(rootfs) ? strings(tar, rootfs.diff_ids, 'diff_ids') : []
  if (!diffIds.every(isDigest)) throw invalid(tar, `${path} has a diff_id that is no digest`)
  const descriptor: Descriptor = { mediaType: mediaTypes.ociConfig, digest, size: file.size }
  return { descriptor, file, diffIds }
}

/** Layers by path and diff_id: images share them, and a compressed one is read only once. */
class Layers {
  readonly #tar: TarArchive
  readonly #options: CallOptions
  readonly #known = new Map<string, Promise<{ descriptor: Descriptor; file: TarFile }>>()

  constructor(tar: TarArchive, options: CallOptions) {
    this.#tar = tar
    this.#options = options
  }

  read(path: string, diffId: Digest): Promise<{ descriptor: Descriptor; file: TarFile }> {
    const file = fileAt(this.#tar, path)
    const key = `${file.path}\n${diffId}`
    let layer = this.#known.get(key)
    if (!layer) {
      layer = this.#describe(file, diffId)
      this.#known.set(key, layer)
    }
    return layer
  }

  /** An uncompressed layer's digest is its diff_id; a compressed one is hashed, and unpacked to be compared. */
  async #describe(file: TarFile, diffId: Digest): Promise<{ descriptor: Descriptor; file: TarFile }> {
    const head = new Uint8Array(4)
    const bytes = this.#tar.file(file)
    const compression = compressionOf(head.subarray(0, await bytes.read(head, 0)))
    const digest = compression ? await this.#compressedDigest(file, compression, diffId) : diffId
    const mediaType = layerTypes[compression ?? 'none']
    return { descriptor: { mediaType, digest, size: file.size }, file }
  }

  async #compressedDigest(file: TarFile, compression: Compression, diffId: Digest): Promise<Digest> {
    const stored = new Digester()
    const content = new Digester(digestAlgorithm(diffId))
    const bytes = this.#tar.file(file)
    const hashed = {
      size: bytes.size,
      read: async (into: Uint8Array, position: number) => {
        const count = await bytes.read(into, position)
        stored.update(into.subarray(0, count))
        return count
      },
    }
    const options = { ...this.#options, limits: this.#tar.limits }
    for await (const chunk of unpacked(hashed, compression, options)) content.update(chunk)
    if (content.finish() !== diffId) {
      throw failure('CONTENT_DAMAGED', `the layer ${file.path} in ${this.#tar.path} is not ${diffId}`)
    }
    return stored.finish()
  }
}

function fileAt(tar: TarArchive, path: string): TarFile {
  const file = tar.index.follow(path.replace(/^(\.\/)+/, ''))
  if (!file) throw invalid(tar, `it holds no ${JSON.stringify(path.slice(0, 200))}`)
  return file
}

function strings(tar: TarArchive, value: Json | undefined, name: string): string[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) {
    throw invalid(tar, `${name} is not a list of strings`)
  }
  return value as string[]
}

function wholeName(tar: TarArchive, tag: string): string {
  try {
    return formatReference(parseReference(tag))
  } catch (cause) {
    throw failure('ARCHIVE_INVALID', `${tar.path} has an image with a name that is none`, { cause })
  }
}

const invalid = (tar: TarArchive, why: string) =>
  failure('ARCHIVE_INVALID', `${tar.path} is no docker-archive that can be read: ${why}`)
