// Layers and images for tests, made member by member with tar-stream, whose tars any reader takes.
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { pack } from 'tar-stream'
import { bytesReader, type MemoryStore } from '#content/index.ts'
import { type Descriptor, digestOf, mediaTypes } from '#oci/index.ts'

export interface TestMember {
  readonly name: string
  readonly type?: 'file' | 'link' | 'symlink' | 'directory' | 'block-device' | 'character-device' | 'fifo'
  readonly content?: string
  readonly linkname?: string
  readonly mode?: number
  readonly mtime?: number
  readonly pax?: Readonly<Record<string, string>>
}

export async function tarOf(members: readonly TestMember[]): Promise<Buffer> {
  const tar = pack()
  for (const { content = '', mtime = 1, type = 'file', ...rest } of members) {
    const header = { ...rest, type, mtime: new Date(mtime * 1000) }
    if (type === 'file') tar.entry(header, content)
    else tar.entry(header)
  }
  tar.finalize()
  const chunks: Uint8Array[] = []
  for await (const chunk of tar as AsyncIterable<Uint8Array>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

export interface TestLayer {
  readonly tar: Uint8Array
  readonly mediaType?: string
  /** What is stored in place of the compressed tar. */
  readonly blob?: Uint8Array
  readonly diffId?: string
}

export async function put(store: MemoryStore, mediaType: string, bytes: Uint8Array): Promise<Descriptor> {
  const content = { mediaType, digest: digestOf(bytes), size: bytes.length }
  await store.write(content, async () => bytesReader(bytes))
  return content
}

export const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

/** An image of these layers, gzip where they do not say otherwise. */
export async function imageOf(
  store: MemoryStore,
  layers: readonly TestLayer[],
  { platform = { os: 'linux', architecture: 'amd64' }, config = {}, docker = false } = {},
): Promise<Descriptor> {
  const written: Descriptor[] = []
  for (const {
    tar,
    mediaType = docker ? mediaTypes.dockerLayerGzip : mediaTypes.ociLayerGzip,
    blob,
  } of layers) {
    written.push(await put(store, mediaType, blob ?? compressed(tar, mediaType)))
  }
  const diffIds = layers.map(({ tar, diffId }) => diffId ?? digestOf(tar))
  const configJson = { ...platform, ...config, rootfs: { type: 'layers', diff_ids: diffIds } }
  return put(
    store,
    docker ? mediaTypes.dockerManifest : mediaTypes.ociManifest,
    json({
      schemaVersion: 2,
      mediaType: docker ? mediaTypes.dockerManifest : mediaTypes.ociManifest,
      config: await put(store, docker ? mediaTypes.dockerConfig : mediaTypes.ociConfig, json(configJson)),
      layers: written,
    }),
  )
}

function compressed(tar: Uint8Array, mediaType: string): Uint8Array {
  if (mediaType.endsWith('gzip')) return gzipSync(tar, { level: 1 })
  return mediaType.endsWith('zstd') ? zstdCompressSync(tar) : tar
}
