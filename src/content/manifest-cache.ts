import type { Digest } from '#oci/index.ts'

/** Keeps the bytes of manifests between the walk and the write, up to a bound; what does not fit is read again. */
export class ManifestCache {
  readonly #kept = new Map<Digest, Uint8Array>()
  readonly #maxBytes: number
  #heldBytes = 0

  constructor(maxBytes = 16 * 1024 * 1024) {
    this.#maxBytes = maxBytes
  }

  keep(digest: Digest, bytes: Uint8Array): void {
    if (this.#kept.has(digest) || this.#heldBytes + bytes.length > this.#maxBytes) return
    this.#kept.set(digest, bytes)
    this.#heldBytes += bytes.length
  }

  get(digest: Digest): Uint8Array | undefined {
    return this.#kept.get(digest)
  }
}
