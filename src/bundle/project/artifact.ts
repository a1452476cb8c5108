import { open } from 'node:fs/promises'
import { fileSystemFailure, type Json } from '#base/index.ts'
import { bytesReader, type CallOptions, type OpenAt, type Target } from '#content/index.ts'
import { type Annotations, type Descriptor, Digester, digestOf, mediaTypes } from '#oci/index.ts'

/** A blob that is to be written: bytes in memory, or a file. */
export interface ArtifactBlob {
  readonly mediaType: string
  readonly content: Uint8Array | { readonly path: string }
  readonly annotations?: Annotations
}

export interface WrittenArtifact {
  readonly manifest: Descriptor
  readonly layers: readonly Descriptor[]
}

const chunkBytes = 1024 * 1024

/**
 * Writes an OCI artifact of one or more blobs (image-spec manifest.md, Guidelines for Artifact Usage): the same
 * input gives the same digest. A file is read twice, for its digest and on its way; a change between is found.
 *
 * @throws FILE_SYSTEM, and what the target throws
 */
export async function writeArtifact(
  artifact: {
    readonly artifactType?: string
    readonly config?: { readonly mediaType: string; readonly bytes: Uint8Array }
    readonly blobs: readonly ArtifactBlob[]
    readonly annotations?: Annotations
  },
  target: Target,
  options: CallOptions & { readonly tags?: readonly string[] } = {},
): Promise<WrittenArtifact> {
  const config = artifact.config ?? { mediaType: mediaTypes.empty, bytes: Buffer.from('{}') }
  const configBlob = { mediaType: config.mediaType, content: config.bytes }
  const described: { blob: ArtifactBlob; descriptor: Descriptor }[] = []
  for (const blob of [configBlob, ...artifact.blobs]) {
    described.push({ blob, descriptor: await describe(blob, options) })
  }
  const [configEntry, ...layers] = described.map(({ descriptor }) => descriptor)
  const body = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      ...(artifact.artifactType !== undefined && { artifactType: artifact.artifactType }),
      config: configEntry,
      layers,
      ...(artifact.annotations && { annotations: artifact.annotations }),
    } as unknown as Json),
  )
  const manifest: Descriptor = {
    mediaType: mediaTypes.ociManifest,
    digest: digestOf(body),
    size: body.length,
  }
  const { tags = [] } = options
  const contents = [manifest, ...described.map(({ descriptor }) => descriptor)]
  const taggings = tags.map((reference) => ({ manifest, reference }))
  await target.prepare?.({ contents, taggings, roots: [manifest] }, options)
  for (const { blob, descriptor } of described) {
    if (!(await target.has(descriptor, options))) await target.write(descriptor, opener(blob), options)
  }
  await target.write(manifest, async (offset) => bytesReader(body.subarray(offset)), options)
  for (const tag of tags) await target.tag(manifest, tag, options)
  await target.commit?.(options)
  return { manifest, layers }
}

async function describe(
  { mediaType, content, annotations }: ArtifactBlob,
  { signal }: CallOptions,
): Promise<Descriptor> {
  const labels = annotations && { annotations }
  if (content instanceof Uint8Array) {
    return { mediaType, digest: digestOf(content), size: content.length, ...labels }
  }
  const digester = new Digester()
  const buffer = new Uint8Array(chunkBytes)
  let size = 0
  try {
    await using file = await open(content.path, 'r')
    for (;;) {
      signal?.throwIfAborted()
      const { bytesRead } = await file.read(buffer, 0, buffer.length, size)
      if (bytesRead === 0) break
      digester.update(buffer.subarray(0, bytesRead))
      size += bytesRead
    }
  } catch (error) {
    throw signal?.aborted ? signal.reason : fileSystemFailure(content.path, error)
  }
  return { mediaType, digest: digester.finish(), size, ...labels }
}

function opener({ content }: ArtifactBlob): OpenAt {
  if (content instanceof Uint8Array) return async (offset) => bytesReader(content.subarray(offset))
  return async (offset) => {
    const file = await open(content.path, 'r').catch((error) => {
      throw fileSystemFailure(content.path, error)
    })
    let position = offset
    return {
      async read(into) {
        const { bytesRead } = await file.read(into, 0, into.length, position)
        position += bytesRead
        return bytesRead
      },
      close: () => file.close(),
    }
  }
}
