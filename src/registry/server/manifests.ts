import { Lru, limits } from '#base/index.ts'
import { type CallOptions, type Repository, readVerified } from '#content/index.ts'
import type { Descriptor, Digest } from '#oci/index.ts'

/** The verified bytes of the manifests asked for most lately: small, and asked for again and again. */
export class Manifests {
  readonly #bytes: Lru<Digest, Uint8Array>

  constructor(maxBytes: number) {
    this.#bytes = new Lru(maxBytes)
  }

  /** @throws DIGEST_MISMATCH, SIZE_MISMATCH, CONTENT_NOT_FOUND */
  async read(repository: Repository, content: Descriptor, options: CallOptions): Promise<Uint8Array> {
    const known = this.#bytes.get(content.digest)
    if (known) return known
    const bytes = await readVerified(repository, content, limits.manifestBytes, options)
    this.keep(content.digest, bytes)
    return bytes
  }

  keep(digest: Digest, bytes: Uint8Array): void {
    this.#bytes.set(digest, bytes, bytes.length)
  }
}
