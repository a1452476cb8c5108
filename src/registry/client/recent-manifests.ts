import type { Digest } from '#oci/index.ts'
import type { FetchedManifest } from './manifests.ts'

/** The manifests that passed last, so that giving them a tag needs no second reading. Bounded by bytes. */
export class RecentManifests {
  readonly #held = new Map<Digest, FetchedManifest>()
  readonly #maxBytes: number
  #heldBytes = 0

  constructor(maxBytes = 4 * 1024 * 1024) {
    this.#maxBytes = maxBytes
  }

  keep(manifest: FetchedManifest): void {
    const { digest, size } = manifest.descriptor
    if (this.#held.has(digest) || size > this.#maxBytes) return
    this.#held.set(digest, manifest)
    this.#heldBytes += size
    for (const [oldest, { descriptor }] of this.#held) {
      if (this.#heldBytes <= this.#maxBytes) return
      this.#held.delete(oldest)
      this.#heldBytes -= descriptor.size
    }
  }

  get(digest: Digest): FetchedManifest | undefined {
    return this.#held.get(digest)
  }
}
