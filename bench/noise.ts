import { createCipheriv } from 'node:crypto'
import { bytesReader, type MemoryStore, type Source } from '#content/index.ts'
import { type Descriptor, type Digest, Digester, digestOf, mediaTypes } from '#oci/index.ts'

const mib = 2 ** 20
const zeros = Buffer.alloc(mib)

/** Layers of these sizes that exist only as a seed: their bytes are made when they are read. */
export function noiseSource(
  store: MemoryStore,
  sizes: readonly number[],
): { source: Source; layers: Descriptor[] } {
  const seeds = new Map<Digest, { seed: string; size: number }>()
  const layers = sizes.map((size, at): Descriptor => {
    const digester = new Digester()
    for (const part of noise(String(at), size)) digester.update(part)
    const digest = digester.finish()
    seeds.set(digest, { seed: String(at), size })
    return { mediaType: mediaTypes.ociLayer, digest, size }
  })
  const source: Source = {
    resolve: (reference) => store.resolve(reference),
    open: async (content, range) => {
      const known = seeds.get(content.digest)
      if (!known) return store.open(content, range)
      const parts = noise(known.seed, known.size)
      let rest = bytesReader(new Uint8Array(0))
      return {
        async read(into) {
          for (;;) {
            const count = await rest.read(into)
            if (count > 0) return count
            const next = parts.next()
            if (next.done) return 0
            rest = bytesReader(next.value)
          }
        },
        close: async () => undefined,
      }
    },
  }
  return { source, layers }
}

function* noise(seed: string, size: number): Generator<Buffer> {
  const cipher = createCipheriv('aes-128-ctr', digestOf(Buffer.from(seed)).slice(7, 23), Buffer.alloc(16))
  for (let left = size; left > 0; left -= mib) yield cipher.update(zeros.subarray(0, Math.min(left, mib)))
}

export async function putManifest(store: MemoryStore, layers: readonly Descriptor[]): Promise<Descriptor> {
  const put = async (value: object, mediaType: string): Promise<Descriptor> => {
    const bytes = Buffer.from(JSON.stringify(value))
    const content = { mediaType, digest: digestOf(bytes), size: bytes.length }
    await store.write(content, async () => bytesReader(bytes))
    return content
  }
  const config = await put({ os: 'linux', architecture: 'amd64' }, mediaTypes.ociConfig)
  return put({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers }, mediaTypes.ociManifest)
}
