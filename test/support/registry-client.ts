import type { Limits } from '#base/index.ts'
import type { ByteReader } from '#content/index.ts'
import { RegistryClient, type RegistryClientOptions } from '#registry/index.ts'

/** A client that never waits: pauses are noted and over at once, and chance is always a half. */
export function quickClient(options: RegistryClientOptions & { readonly limits?: Partial<Limits> } = {}): {
  client: RegistryClient
  pauses: number[]
} {
  const pauses: number[] = []
  const client = new RegistryClient({
    random: () => 0.5,
    sleep: async (ms, signal) => {
      signal?.throwIfAborted()
      pauses.push(ms)
    },
    ...options,
  })
  return { client, pauses }
}

export async function readAll(reader: ByteReader, chunkBytes = 100_000): Promise<Buffer> {
  const parts: Buffer[] = []
  try {
    for (;;) {
      const buffer = Buffer.alloc(chunkBytes)
      const count = await reader.read(buffer)
      if (count === 0) return Buffer.concat(parts)
      parts.push(buffer.subarray(0, count))
    }
  } finally {
    await reader.close()
  }
}
