import { isFailure, type Limits, limits } from '#base/index.ts'
import { type Repository, readVerified } from '#content/index.ts'
import {
  childrenOf,
  type Descriptor,
  type Digest,
  isManifestType,
  type Manifest,
  parseManifest,
} from '#oci/index.ts'

/** A manifest that was read: its bytes, verified, and what they say. */
export interface ReadManifest {
  readonly descriptor: Descriptor
  readonly bytes: Uint8Array
  readonly manifest: Manifest
}

/** The tagged manifests are not read again sooner. */
const rescanMs = 5000

/**
 * Which manifests of one repository name which contents, as far as it was looked at: a manifest that is pulled tells
 * of its children; where a child is asked for whose parents nobody has told of, the tagged manifests are read once.
 */
export class RepositoryGraph {
  readonly #parents = new Map<Digest, Map<Digest, Descriptor>>()
  readonly #limits: Limits
  readonly #now: () => number
  #scan: Promise<void> | undefined
  #scannedAt = Number.NEGATIVE_INFINITY

  constructor(bounds: Limits = limits, now: () => number = Date.now) {
    this.#limits = bounds
    this.#now = now
  }

  /** Reads a manifest and learns what it names. @throws CONTENT_NOT_FOUND, DIGEST_MISMATCH, MANIFEST_INVALID */
  async read(repository: Repository, descriptor: Descriptor, signal: AbortSignal): Promise<ReadManifest> {
    const bytes = await readVerified(repository, descriptor, this.#limits.manifestBytes, { signal })
    const manifest = parseManifest(bytes, descriptor.mediaType)
    for (const child of childrenOf(manifest)) this.#learn(child.digest, descriptor)
    return { descriptor, bytes, manifest }
  }

  /** The manifests that are known to name this content. */
  async parentsOf(
    repository: Repository,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<readonly Descriptor[]> {
    // Orphans can be asked for without end: each question must not read the whole repository.
    if (!this.#parents.has(digest) && (this.#scan || this.#now() - this.#scannedAt > rescanMs)) {
      this.#scan ??= this.#readTagged(repository, signal).finally(() => {
        this.#scan = undefined
        this.#scannedAt = this.#now()
      })
      await this.#scan
    }
    return [...(this.#parents.get(digest)?.values() ?? [])]
  }

  async #readTagged(repository: Repository, signal: AbortSignal): Promise<void> {
    const seen = new Set<Digest>()
    for (let after: string | undefined; ; ) {
      const tags = await repository.tags({ ...(after !== undefined && { after }), limit: 1000 })
      for (const tag of tags) {
        signal.throwIfAborted()
        const root = await present(repository.resolve(tag, { signal }))
        if (root) await this.#readBelow(repository, root, seen, 0, signal)
      }
      after = tags.at(-1)
      if (after === undefined) return
    }
  }

  async #readBelow(
    repository: Repository,
    descriptor: Descriptor,
    seen: Set<Digest>,
    depth: number,
    signal: AbortSignal,
  ): Promise<void> {
    if (depth > this.#limits.graphDepth || seen.size >= this.#limits.graphNodes) return
    if (seen.has(descriptor.digest)) return
    seen.add(descriptor.digest)
    const read = await present(this.read(repository, descriptor, signal))
    if (!read) return
    for (const child of childrenOf(read.manifest)) {
      if (isManifestType(child.mediaType)) await this.#readBelow(repository, child, seen, depth + 1, signal)
    }
  }

  #learn(child: Digest, parent: Descriptor): void {
    const known = this.#parents.get(child)
    if (known) known.set(parent.digest, parent)
    else if (this.#parents.size < this.#limits.graphNodes)
      this.#parents.set(child, new Map([[parent.digest, parent]]))
  }
}

/** What is absent or damaged names nothing: it is not an error of who asked for something else. */
async function present<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found
  } catch (error) {
    if (isFailure(error)) return undefined
    throw error
  }
}
