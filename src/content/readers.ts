import { type Descriptor, type Digest, Digester, digestAlgorithm } from '#oci/index.ts'
import { failure } from './codes.ts'
import type { ByteRange, ByteReader, CallOptions, Source } from './types.ts'

/** Reads bytes that are in memory. */
export function bytesReader(bytes: Uint8Array): ByteReader {
  let at = 0
  return {
    async read(into) {
      const part = bytes.subarray(at, at + into.length)
      into.set(part)
      at += part.length
      return part.length
    },
    async close() {
      at = bytes.length
    },
  }
}

/** Reads what an async iterable yields (a node stream, a web stream); closing ends the iteration. */
export function iterableReader(chunks: AsyncIterable<Uint8Array>): ByteReader {
  const iterator = chunks[Symbol.asyncIterator]()
  let rest: Uint8Array = new Uint8Array(0)
  let ended = false
  return {
    async read(into) {
      while (rest.length === 0) {
        if (ended) return 0
        const next = await iterator.next()
        if (next.done) {
          ended = true
          return 0
        }
        rest = next.value
      }
      const part = rest.subarray(0, into.length)
      into.set(part)
      rest = rest.subarray(part.length)
      return part.length
    },
    async close() {
      ended = true
      rest = new Uint8Array(0)
      await iterator.return?.()
    },
  }
}

/** The other way round: a reader as chunks, each in a buffer of its own. */
export async function* readerChunks(reader: ByteReader, chunkBytes = 64 * 1024): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      const buffer = new Uint8Array(chunkBytes)
      const count = await reader.read(buffer)
      if (count === 0) return
      yield buffer.subarray(0, count)
    }
  } finally {
    await reader.close()
  }
}

/**
 * Passes the bytes of one whole content through, and fails at its end where they are not what was promised; a
 * byte too many fails at once. The caller must read until 0 to have the verdict.
 *
 * @throws DIGEST_MISMATCH, SIZE_MISMATCH (from `read`)
 */
export function verifying(reader: ByteReader, content: Pick<Descriptor, 'digest' | 'size'>): ByteReader {
  const check = new Check(content)
  return {
    async read(into) {
      const count = await reader.read(into)
      if (count > 0) check.update(into.subarray(0, count))
      else check.finish()
      return count
    },
    close: () => reader.close(),
  }
}

/** A reader that is closed, and rejects with the signal's reason, once the signal says so: also in mid-read. */
export function stoppable(reader: ByteReader, signal: AbortSignal | undefined): ByteReader {
  if (!signal) return reader
  const stop = (): void => void reader.close().catch(() => undefined)
  signal.addEventListener('abort', stop, { once: true })
  return {
    async read(into) {
      signal.throwIfAborted()
      // Closing made it reject, or end early: what counts is why.
      const count = await reader.read(into).catch((error: unknown) => {
        signal.throwIfAborted()
        throw error
      })
      signal.throwIfAborted()
      return count
    },
    async close() {
      signal.removeEventListener('abort', stop)
      await reader.close()
    },
  }
}

/** Size and digest of one content, checked as the bytes pass. Bytes in hand already are fed first (resuming). */
export class Check {
  readonly #content: { readonly digest: Digest; readonly size: number }
  readonly #digester: Digester
  #seenBytes = 0
  #finished = false

  constructor(content: Pick<Descriptor, 'digest' | 'size'>) {
    this.#content = content
    this.#digester = new Digester(digestAlgorithm(content.digest))
  }

  get seenBytes(): number {
    return this.#seenBytes
  }

  /** @throws SIZE_MISMATCH as soon as there is a byte too many */
  update(bytes: Uint8Array): void {
    this.#seenBytes += bytes.length
    if (this.#seenBytes > this.#content.size) throw this.#sizeMismatch('more')
    this.#digester.update(bytes)
  }

  /** @throws SIZE_MISMATCH, DIGEST_MISMATCH */
  finish(): void {
    if (this.#finished) return
    this.#finished = true
    if (this.#seenBytes < this.#content.size) throw this.#sizeMismatch('fewer')
    const actual = this.#digester.finish()
    if (actual !== this.#content.digest) {
      throw failure('DIGEST_MISMATCH', `the bytes of ${this.#content.digest} have the digest ${actual}`, {
        detail: { expected: this.#content.digest, actual },
      })
    }
  }

  #sizeMismatch(how: string) {
    const { digest, size } = this.#content
    return failure('SIZE_MISMATCH', `${digest} should have ${size} bytes, but ${how} arrived`, {
      detail: { expected: size, digest },
    })
  }
}

/**
 * One whole content in memory, verified: for manifests and other small things.
 *
 * @throws SIZE_MISMATCH, DIGEST_MISMATCH, and CONTENT_NOT_FOUND from the source
 */
export async function readVerified(
  source: Pick<Source, 'open'>,
  content: Descriptor,
  maxBytes: number,
  options: CallOptions = {},
): Promise<Uint8Array> {
  if (content.size > maxBytes) {
    throw failure(
      'SIZE_MISMATCH',
      `${content.digest} has ${content.size} bytes, over the limit of ${maxBytes}`,
    )
  }
  const reader = await source.open(content, undefined, options)
  try {
    return await readExactly(verifying(reader, content), content.size)
  } finally {
    await reader.close()
  }
}

/** Reads to the end, which must come after `sizeBytes`. @throws SIZE_MISMATCH */
async function readExactly(reader: ByteReader, sizeBytes: number): Promise<Uint8Array> {
  // One byte more than promised, so that the end is seen without growing the buffer.
  const buffer = new Uint8Array(sizeBytes + 1)
  let filled = 0
  for (;;) {
    const count = await reader.read(buffer.subarray(filled))
    if (count === 0) break
    filled += count
    if (filled > sizeBytes)
      throw failure('SIZE_MISMATCH', `more than the promised ${sizeBytes} bytes arrived`)
  }
  return buffer.subarray(0, filled)
}

/** A range with its length known: clamped to the content. */
export function clampRange(sizeBytes: number, range?: ByteRange): { offset: number; length: number } {
  const offset = Math.min(range?.offset ?? 0, sizeBytes)
  return { offset, length: Math.min(range?.length ?? sizeBytes, sizeBytes - offset) }
}
