import type { Digest } from '#oci/index.ts'

/**
 * Remembers which contents were verified in this process's life and which were found damaged. Bounded: the oldest
 * verdicts go first, and then a content is simply verified again.
 */
export class DamageLedger {
  readonly #verified = new Set<Digest>()
  readonly #damaged = new Set<Digest>()
  readonly #maxVerified: number

  constructor(maxVerified: number) {
    this.#maxVerified = maxVerified
  }

  isVerified(digest: Digest): boolean {
    return this.#verified.has(digest)
  }

  isDamaged(digest: Digest): boolean {
    return this.#damaged.has(digest)
  }

  get damagedCount(): number {
    return this.#damaged.size
  }

  verified(digest: Digest): void {
    if (this.#verified.size >= this.#maxVerified) {
      const oldest = this.#verified.values().next()
      if (!oldest.done) this.#verified.delete(oldest.value)
    }
    this.#verified.add(digest)
  }

  damaged(digest: Digest): void {
    this.#verified.delete(digest)
    this.#damaged.add(digest)
  }

  /** It was pushed anew, so what was known of it does not hold. */
  forget(digest: Digest): void {
    this.#verified.delete(digest)
    this.#damaged.delete(digest)
  }
}
