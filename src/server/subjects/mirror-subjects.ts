import { type AdmissionLimits, admissionLimits, isFailure, limits } from '#base/index.ts'
import { type Repository, readVerified } from '#content/index.ts'
import { manifestHolder } from '#gate/index.ts'
import { type Descriptor, type Digest, formatReference, type Reference } from '#oci/index.ts'
import type { Proof } from '#trust/index.ts'
import { failure } from '../codes.ts'
import type { FoundSubject, PinnedReference, SubjectSource } from '../types.ts'
import type { Mirror } from './mirror-places.ts'

/** What travels with a content, asked of the repository that holds it. */
export type Gather = (
  repository: Repository,
  subject: Descriptor,
  signal: AbortSignal,
) => AsyncIterable<Proof>

type Proofs = Map<Digest, Proof>

/** A manifest that names `child`, with what was found about it. */
interface HolderFound {
  readonly child: Digest
  readonly mediaType: string
  readonly bytes: Uint8Array
  readonly proofs: Proofs
}

/**
 * Looks contents up in mirrors. A tag is taken from the first one that has it; proofs are taken from all that have
 * the content, as signatures may come in an archive and the image in the registry.
 */
export class MirrorSubjects implements SubjectSource {
  readonly #mirrors: readonly Mirror[]
  readonly #gather: Gather
  readonly #limits: AdmissionLimits

  constructor(mirrors: readonly Mirror[], gather: Gather, limits: AdmissionLimits = admissionLimits) {
    this.#mirrors = mirrors
    this.#gather = gather
    this.#limits = limits
  }

  async resolve(reference: Reference, signal: AbortSignal): Promise<Digest> {
    const tag = reference.tag ?? 'latest'
    for (const mirror of this.#mirrors) {
      const found = await this.#ask(mirror, reference, signal, async (repository) => {
        return (await repository.resolve(tag, { signal })).digest
      })
      if (found !== undefined) return found
    }
    throw this.#missing(reference)
  }

  async find(reference: PinnedReference, signal: AbortSignal): Promise<FoundSubject> {
    const { digest } = reference
    const proofs: Proofs = new Map()
    const holders = new Map<Digest, HolderFound>()
    let mediaType: string | undefined
    for (const mirror of this.#mirrors) {
      await this.#ask(mirror, reference, signal, async (repository) => {
        const descriptor = await repository.find(digest, { signal })
        if (descriptor === undefined) return
        mediaType ??= descriptor.mediaType
        await this.#collect(repository, descriptor, proofs, signal)
        await this.#collectHolders(mirror, digest, holders, signal)
      })
    }
    if (mediaType === undefined) throw this.#missing(reference)
    const within = [...holders.values()].map(({ child, mediaType, bytes, proofs }) =>
      manifestHolder(child, { mediaType, bytes }, [...proofs.values()]),
    )
    return { digest, mediaType, proofs: [...proofs.values()], ...(within.length > 0 && { within }) }
  }

  async #collectHolders(
    mirror: Mirror,
    digest: Digest,
    holders: Map<Digest, HolderFound>,
    signal: AbortSignal,
  ): Promise<void> {
    let child = digest
    for (const { descriptor, repository } of (await mirror.holders?.(digest, signal)) ?? []) {
      let holder = holders.get(descriptor.digest)
      if (holder === undefined) {
        const bytes = await readVerified(repository, descriptor, limits.manifestBytes, { signal })
        holder = { child, mediaType: descriptor.mediaType, bytes, proofs: new Map() }
        holders.set(descriptor.digest, holder)
      }
      await this.#collect(repository, descriptor, holder.proofs, signal)
      child = descriptor.digest
    }
  }

  async #collect(repository: Repository, of: Descriptor, into: Proofs, signal: AbortSignal): Promise<void> {
    for await (const proof of this.#gather(repository, of, signal)) {
      into.set(proof.digest, proof)
      if (into.size > this.#limits.proofs) {
        throw failure('MIRROR_UNAVAILABLE', `${of.digest} has more than ${this.#limits.proofs} proofs`)
      }
    }
  }

  /** What a mirror knows; undefined where it has no such thing. */
  async #ask<T>(
    mirror: Mirror,
    reference: Reference,
    signal: AbortSignal,
    question: (repository: Repository) => Promise<T>,
  ): Promise<T | undefined> {
    try {
      const repository = await mirror.repositoryOf(reference, signal)
      return repository === undefined ? undefined : await question(repository)
    } catch (cause) {
      signal.throwIfAborted()
      if (isFailure(cause, 'CONTENT_NOT_FOUND')) return undefined
      const why = cause instanceof Error ? cause.message : String(cause)
      const message = `${mirror.name} gave no answer about ${formatReference(reference)}: ${why}`
      throw failure('MIRROR_UNAVAILABLE', message, { cause })
    }
  }

  #missing(reference: Reference) {
    const where = this.#mirrors.map(({ name }) => name).join(', ')
    return failure('IMAGE_NOT_FOUND', `${formatReference(reference)} is not in ${where}`)
  }
}
