import type { Digest } from '#oci/index.ts'

const repositoriesPerDigest = 4

/** Which repositories of one registry are known to hold which contents: from there they can be mounted. Bounded. */
export class DigestPlaces {
  readonly #places = new Map<Digest, readonly string[]>()
  readonly #maxDigests: number

  constructor(maxDigests: number) {
    this.#maxDigests = maxDigests
  }

  note(digest: Digest, repository: string): void {
    const known = this.#places.get(digest) ?? []
    if (known.includes(repository) || known.length >= repositoriesPerDigest) return
    if (known.length === 0 && this.#places.size >= this.#maxDigests) {
      this.#places.delete(this.#places.keys().next().value as Digest)
    }
    this.#places.set(digest, [...known, repository])
  }

  /** It turned out not to be there any more. */
  forget(digest: Digest, repository: string): void {
    const rest = (this.#places.get(digest) ?? []).filter((name) => name !== repository)
    if (rest.length > 0) this.#places.set(digest, rest)
    else this.#places.delete(digest)
  }

  /** A repository other than `into` that holds it. */
  elsewhere(digest: Digest, into: string): string | undefined {
    return this.#places.get(digest)?.find((name) => name !== into)
  }
}
