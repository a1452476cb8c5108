import { pipeline } from 'node:stream/promises'
import { type Descriptor, type Digest, Digester } from '#oci/index.ts'
import { compressor, normaliseGzipHeader } from './compression.ts'
import type { LayerCompression } from './spec.ts'
import type { Spool } from './spool.ts'

/** A layer that was written: what the manifest says of it, and what the config does. */
export interface WrittenLayer {
  readonly descriptor: Descriptor
  /** The digest of the tar archive before compression (image-spec config.md, Layer DiffID). */
  readonly diffId: Digest
}

export interface WriteLayerOptions {
  readonly mediaType: string
  readonly compression: LayerCompression
  readonly level: number
  readonly signal?: AbortSignal | undefined
  /** Told how many bytes of the tar archive went through. */
  readonly onBytes?: ((sizeBytes: number) => void) | undefined
}

/** Compresses a tar archive into a spool, and takes both digests, all in one pass. */
export async function writeLayer(
  tar: AsyncIterable<Uint8Array>,
  spool: Spool,
  options: WriteLayerOptions,
): Promise<WrittenLayer> {
  const { compression, level, signal } = options
  const diff = new Digester()
  const blob = new Digester()
  let sizeBytes = 0
  async function* hashed() {
    for await (const chunk of tar) {
      diff.update(chunk)
      options.onBytes?.(chunk.length)
      yield chunk
    }
  }
  async function sink(chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      if (compression === 'gzip') normaliseGzipHeader(chunk, sizeBytes)
      blob.update(chunk)
      await spool.append(chunk)
      sizeBytes += chunk.length
    }
  }
  const compressing = compressor(compression, level)
  const stopping = signal ? { signal } : {}
  if (compressing) await pipeline(hashed, compressing, sink, stopping)
  else await pipeline(hashed, sink, stopping)
  const digest = blob.finish()
  await spool.finish(digest, { signal })
  return { descriptor: { mediaType: options.mediaType, digest, size: sizeBytes }, diffId: diff.finish() }
}
