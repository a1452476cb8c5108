import { SealiftError } from '#base/index.ts'
import {
  type CallOptions,
  type Container,
  type Referrers,
  type Source,
  verifying,
  type Walk,
} from '#content/index.ts'
import type { Descriptor, Digest } from '#oci/index.ts'

/**
 * What is reached from one root of a registry, seen as a container, so that `verify` reads all of it: what it reads
 * is fetched and hashed, and a blob that is named but not there is missing.
 */
export function registryContainer(
  { root, companions, nodes }: Walk,
  source: Source | (Source & Referrers),
): Container {
  const known = new Map<Digest, Descriptor>(nodes.map(({ descriptor }) => [descriptor.digest, descriptor]))
  const missing = new Set<Digest>()
  const find = async (digest: Digest) => (missing.has(digest) ? undefined : known.get(digest))
  return {
    roots: async () =>
      [root, ...companions.map(({ node }) => node)].map(({ descriptor }) => ({ descriptor })),
    source: {
      find,
      resolve: (reference, options) => source.resolve(reference, options),
      open: (content, range, options) => source.open(content, range, options),
      referrers: async function* (subject, artifactType, options) {
        if ('referrers' in source) yield* source.referrers(subject, artifactType, options)
      },
    },
    async *contents() {
      for (const content of known.values()) if (!missing.has(content.digest)) yield content
    },
    async *verifyBytes(options: CallOptions = {}) {
      for (const content of known.values()) {
        options.signal?.throwIfAborted()
        try {
          await readThrough(source, content, options)
          yield { what: content.digest, sizeBytes: content.size }
        } catch (error) {
          options.signal?.throwIfAborted()
          if (!(error instanceof SealiftError)) throw error
          if (error.code === 'CONTENT_NOT_FOUND') {
            // `verify` finds on its way through the graph who names it.
            missing.add(content.digest)
          } else if (error.code === 'DIGEST_MISMATCH' || error.code === 'SIZE_MISMATCH') {
            const problem = { kind: 'damaged', what: content.digest, why: error.message } as const
            yield { what: content.digest, sizeBytes: content.size, problem }
          } else throw error
        }
      }
    },
    repository: async () => undefined,
    names: async () => [],
    close: async () => undefined,
  }
}

async function readThrough(source: Source, content: Descriptor, options: CallOptions): Promise<void> {
  const reader = verifying(await source.open(content, undefined, options), content)
  const buffer = new Uint8Array(256 * 1024)
  try {
    while ((await reader.read(buffer)) > 0);
  } finally {
    await reader.close()
  }
}
