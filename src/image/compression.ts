import type { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createGunzip, createGzip, createZstdCompress, createZstdDecompress } from 'node:zlib'
import { mediaTypes } from '#oci/index.ts'
import { failure } from './codes.ts'
import type { LayerCompression } from './spec.ts'

const chunkBytes = 256 * 1024

// The lowest levels that still pay: a 149 MB executable builds in seconds.
const levels = {
  gzip: { lowest: 1, highest: 9, usual: 1 },
  zstd: { lowest: 1, highest: 19, usual: 3 },
  none: { lowest: 0, highest: 0, usual: 0 },
} as const

/** The level to use. @throws IMAGE_SPEC_INVALID */
export function compressionLevel(compression: LayerCompression, level?: number): number {
  const { lowest, highest, usual } = levels[compression]
  if (level === undefined) return usual
  if (Number.isInteger(level) && level >= lowest && level <= highest) return level
  throw failure('IMAGE_SPEC_INVALID', `${compression} has no level ${level}: use ${lowest} to ${highest}`)
}

/** The compressor, or undefined for `none`. */
export function compressor(compression: LayerCompression, level: number): Transform | undefined {
  if (compression === 'gzip') return createGzip({ level, chunkSize: chunkBytes })
  if (compression === 'none') return undefined
  return createZstdCompress({
    chunkSize: chunkBytes,
    params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 },
  })
}

/**
 * Makes the header of a gzip member the same everywhere (RFC 1952 section 2.3): zlib leaves the time at 0, but
 * writes the system it was built for and a hint at the level. Changes `chunk` in place.
 *
 * @param position of the chunk in the whole member, in bytes
 */
export function normaliseGzipHeader(chunk: Uint8Array, position: number): void {
  const fixed = new Map([
    [8, 0],
    [9, 255],
  ])
  for (const [at, value] of fixed) {
    if (at >= position && at < position + chunk.length) chunk[at - position] = value
  }
}

const compressions: ReadonlyMap<string, LayerCompression> = new Map([
  [mediaTypes.ociLayer, 'none'],
  [mediaTypes.ociLayerGzip, 'gzip'],
  [mediaTypes.ociLayerZstd, 'zstd'],
  [mediaTypes.dockerLayer, 'none'],
  [mediaTypes.dockerLayerGzip, 'gzip'],
  // Not in any specification, but written by containers/image and BuildKit.
  ['application/vnd.docker.image.rootfs.diff.tar.zstd', 'zstd'],
  ['application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', 'gzip'],
  ['application/vnd.oci.image.layer.nondistributable.v1.tar', 'none'],
  ['application/vnd.oci.image.layer.nondistributable.v1.tar+gzip', 'gzip'],
  ['application/vnd.oci.image.layer.nondistributable.v1.tar+zstd', 'zstd'],
])

/** How a layer of this media type is compressed. @throws LAYER_UNSUPPORTED */
export function compressionOf(mediaType: string): LayerCompression {
  const compression = compressions.get(mediaType)
  if (!compression) throw failure('LAYER_UNSUPPORTED', `a layer is of the media type ${mediaType}`)
  return compression
}

/** The media type of a new layer in a manifest of this family. @throws IMAGE_SPEC_INVALID */
export function layerMediaType(family: 'oci' | 'docker', compression: LayerCompression): string {
  if (family === 'oci') {
    return { gzip: mediaTypes.ociLayerGzip, zstd: mediaTypes.ociLayerZstd, none: mediaTypes.ociLayer }[
      compression
    ]
  }
  if (compression === 'zstd') {
    throw failure(
      'IMAGE_SPEC_INVALID',
      'the base is a Docker image, which has no zstd layers: use gzip or none',
    )
  }
  return compression === 'gzip' ? mediaTypes.dockerLayerGzip : mediaTypes.dockerLayer
}

/** The bytes as they were before compression. @throws LAYER_INVALID, and what `chunks` throws */
export async function* decompressed(
  chunks: AsyncIterable<Uint8Array>,
  compression: LayerCompression,
): AsyncGenerator<Uint8Array> {
  if (compression === 'none') {
    yield* chunks
    return
  }
  const options = { chunkSize: chunkBytes }
  const inflating = compression === 'gzip' ? createGunzip(options) : createZstdDecompress(options)
  // The loop below throws what goes wrong in here; nobody else waits for it.
  const feeding = pipeline(chunks, inflating).catch(() => {})
  try {
    yield* inflating as AsyncIterable<Uint8Array>
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? ''
    if (!/^(Z_|ZSTD_|ERR_ZLIB|ERR_ZSTD)/.test(code)) throw cause
    throw failure('LAYER_INVALID', `a layer is no good ${compression}: ${(cause as Error).message}`, {
      cause,
    })
  } finally {
    inflating.destroy()
    await feeding
  }
}
