import { isFailure, type Limits } from '#base/index.ts'
import { type ByteReader, type CallOptions, readerChunks, type Source, verifying } from '#content/index.ts'
import { type Descriptor, type Digest, Digester, digestAlgorithm } from '#oci/index.ts'
import { failure } from './codes.ts'
import { compressionOf, decompressed } from './compression.ts'
import { type TarMember, tarMembers } from './tar-reader.ts'

/** How many bytes the layers of one image may still unpack to. */
export interface Budget {
  leftBytes: number
}

export interface LayerReaderOptions extends CallOptions {
  readonly limits: Limits
  readonly budget: Budget
}

const chunkBytes = 256 * 1024
/** A tiny blob of zeros inflates beyond any ratio, and harms nobody. */
const smallestBlobBytes = 1024

/**
 * The members of one layer while it streams in. Blob digest, size and diff_id are verified on the way: whoever
 * reads to the end without an error has read the layer that the manifest and the config mean. A broken archive
 * whose blob does not have its digest is reported as what it is, a blob that was damaged.
 *
 * @throws DIGEST_MISMATCH, SIZE_MISMATCH, LAYER_MISMATCH, LAYER_INVALID, LAYER_HOSTILE, LAYER_UNSUPPORTED,
 * LAYER_TOO_LARGE, CONTENT_NOT_FOUND
 */
export async function* readLayer(
  source: Pick<Source, 'open'>,
  layer: Descriptor,
  diffId: Digest,
  options: LayerReaderOptions,
): AsyncGenerator<TarMember> {
  const compression = compressionOf(layer.mediaType)
  const blob = new Blob(verifying(await source.open(layer, undefined, { signal: options.signal }), layer))
  try {
    const diff = new Digester(digestAlgorithm(diffId))
    const plain = decompressed(readerChunks(blob, chunkBytes), compression)
    yield* tarMembers(bounded(plain, layer, diff, options), options.limits)
    // What follows the compressed stream inside the blob belongs to the digest too.
    await blob.finish()
    const actual = diff.finish()
    if (actual !== diffId) {
      throw failure(
        'LAYER_MISMATCH',
        `layer ${layer.digest} unpacks to ${actual}, but the config says ${diffId}`,
        {
          detail: { expected: diffId, actual },
        },
      )
    }
  } catch (error) {
    if (isFailure(error, 'LAYER_INVALID') || isFailure(error, 'LAYER_HOSTILE')) await blob.finish()
    throw error
  } finally {
    await blob.release()
  }
}

async function* bounded(
  chunks: AsyncIterable<Uint8Array>,
  layer: Descriptor,
  diff: Digester,
  { limits, budget, signal }: LayerReaderOptions,
): AsyncGenerator<Uint8Array> {
  let left = limits.inflationRatio * Math.max(layer.size, smallestBlobBytes)
  for await (const chunk of chunks) {
    signal?.throwIfAborted()
    left -= chunk.length
    budget.leftBytes -= chunk.length
    if (left < 0) {
      throw failure(
        'LAYER_TOO_LARGE',
        `layer ${layer.digest} unpacks to more than ${limits.inflationRatio} times its size`,
      )
    }
    if (budget.leftBytes < 0) {
      throw failure('LAYER_TOO_LARGE', `the image unpacks to more than ${limits.unpackedBytes} bytes`)
    }
    diff.update(chunk)
    yield chunk
  }
}

/**
 * The blob while a decompressor reads it. A decompressor may have had enough before the blob ends, and then closes
 * its input and forgets what went wrong with it: so closing does nothing here, and what went wrong is remembered.
 */
class Blob implements ByteReader {
  readonly #reader: ByteReader
  #failed: { readonly error: unknown } | undefined
  constructor(reader: ByteReader) {
    this.#reader = reader
  }
  async read(into: Uint8Array): Promise<number> {
    try {
      return await this.#reader.read(into)
    } catch (error) {
      this.#failed ??= { error }
      throw error
    }
  }
  async close(): Promise<void> {}
  /** Reads to the end. @throws DIGEST_MISMATCH, SIZE_MISMATCH, whether now or before */
  async finish(): Promise<void> {
    if (this.#failed) throw this.#failed.error
    const buffer = new Uint8Array(chunkBytes)
    while ((await this.read(buffer)) > 0);
  }
  async release(): Promise<void> {
    await this.#reader.close()
  }
}
