import { type ByteReader, contentFailure, type OpenAt } from '#content/index.ts'
import type { Descriptor } from '#oci/index.ts'
import { abortable } from './abortable.ts'

/** Thrown where the source of a push failed, to tell it from the registry. */
export class SourceFailed extends Error {
  readonly error: unknown
  constructor(error: unknown) {
    super('the source failed')
    this.error = error
  }
}

/** @throws SourceFailed */
export async function openSource(from: OpenAt, offset: number): Promise<ByteReader> {
  try {
    return await from(offset)
  } catch (error) {
    throw new SourceFailed(error)
  }
}

/** The whole of a small content, as many bytes as it should have. @throws SourceFailed, the signal's reason */
export async function readWholeSource(
  from: OpenAt,
  { digest, size }: Descriptor,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const mismatch = (how: string) =>
    new SourceFailed(
      contentFailure('SIZE_MISMATCH', `the source of ${digest} holds ${how} than ${size} bytes`),
    )
  signal?.throwIfAborted()
  const reader = await openSource(from, 0)
  try {
    const bytes = new Uint8Array(size + 1)
    let filled = 0
    for (;;) {
      const count = await abortable(readSource(reader, bytes.subarray(filled)), signal)
      if (count === 0) break
      filled += count
      if (filled > size) throw mismatch('more')
    }
    if (filled < size) throw mismatch('fewer')
    return bytes.subarray(0, size)
  } finally {
    await reader.close()
  }
}

/** @throws SourceFailed */
export async function readSource(reader: ByteReader, into: Uint8Array): Promise<number> {
  try {
    return await reader.read(into)
  } catch (error) {
    throw new SourceFailed(error)
  }
}
