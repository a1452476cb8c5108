import { type AdmissionLimits, admissionLimits, isFailure } from '#base/index.ts'
import { type Container, type Repository, walk } from '#content/index.ts'
import type { WithProofs } from '#gate/index.ts'
import { type Descriptor, type Digest, formatReference, makeReference, type Reference } from '#oci/index.ts'
import type { Proof } from '#trust/index.ts'
import { failure } from '../codes.ts'
import type { FoundSubject, PinnedReference, SubjectSource } from '../types.ts'

/** What travels with a content, asked of the repository that holds it. */
export type Gather = (
  repository: Repository,
  subject: Descriptor,
  signal: AbortSignal,
) => AsyncIterable<Proof>

/** Where the contents of references are: a registry's repositories, or an archive's. */
export interface Mirror {
  /** For messages. */
  readonly name: string
  /** The repository where the content of a reference would be; undefined where this mirror has none such. */
  repositoryOf(reference: Reference, signal: AbortSignal): Promise<Repository | undefined>
  /** What holds a content by its digest, innermost first, each with the repository that it is in. */
  holders?(digest: Digest, signal: AbortSignal): Promise<readonly Held[]>
}

export interface Held {
  readonly descriptor: Descriptor
  readonly repository: Repository
}

/** The part of a registry client that is needed. */
export interface RegistryRepositories {
  repository(reference: Pick<Reference, 'registry' | 'repository'>): Repository
}

/**
 * A registry: under a prefix everything is at PREFIX/PATH, where PATH is the repository without its registry, as
 * `sealift relocate --to PREFIX` lays it out; what is named below the prefix already stays there.
 * Without a prefix each reference is asked for where it says.
 */
export function registryMirror(registries: RegistryRepositories, prefix?: string): Mirror {
  const [registry = '', ...path] = prefix?.replace(/\/+$/, '').split('/') ?? []
  const below = path.length === 0 ? '' : `${path.join('/')}/`
  return {
    name: prefix ?? 'the registry',
    repositoryOf: async (reference) => {
      const isThere = reference.registry === registry && reference.repository.startsWith(below)
      if (prefix === undefined || isThere) return registries.repository(reference)
      return registries.repository(makeReference({ registry, repository: below + reference.repository }))
    },
  }
}

/** An archive or layout: by whole name where it has one, else by digest alone. */
export function containerMirror(container: Container, name: string): Mirror {
  let parents: Promise<ReadonlyMap<Digest, Held>> | undefined
  return {
    name,
    repositoryOf: async ({ registry, repository, digest }, signal) => {
      const named = await container.repository(`${registry}/${repository}`)
      if (digest === undefined || (await named?.find(digest, { signal }))) return named
      return repositoryWith(container, digest, signal)
    },
    holders: async (digest, signal) => {
      parents ??= parentsIn(container, signal).catch((error) => {
        parents = undefined
        throw error
      })
      const held: Held[] = []
      const seen = new Set<Digest>([digest])
      const all = await parents
      for (let up = all.get(digest); up && !seen.has(up.descriptor.digest); ) {
        held.push(up)
        seen.add(up.descriptor.digest)
        up = all.get(up.descriptor.digest)
      }
      return held
    },
  }
}

async function repositoryWith(container: Container, digest: Digest, signal: AbortSignal) {
  for (const name of await container.names()) {
    const repository = await container.repository(name)
    if (await repository?.find(digest, { signal })) return repository
  }
  return undefined
}

/** Of each manifest the first index or bundle that names it, found by following all roots down. */
async function parentsIn(container: Container, signal: AbortSignal): Promise<ReadonlyMap<Digest, Held>> {
  const parents = new Map<Digest, Held>()
  for (const { descriptor } of await container.roots()) {
    const repository = await repositoryWith(container, descriptor.digest, signal)
    if (!repository) continue
    const { nodes } = await walk(descriptor, container.source, { signal, referrers: false })
    for (const node of nodes) {
      for (const child of node.children) {
        const { digest } = child.descriptor
        if (!parents.has(digest)) parents.set(digest, { descriptor: node.descriptor, repository })
      }
    }
  }
  return parents
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
    const proofs = new Map<Digest, Proof>()
    const within = new Map<Digest, { mediaType: string; proofs: Map<Digest, Proof> }>()
    let mediaType: string | undefined
    for (const mirror of this.#mirrors) {
      await this.#ask(mirror, reference, signal, async (repository) => {
        const descriptor = await repository.find(digest, { signal })
        if (descriptor === undefined) return
        mediaType ??= descriptor.mediaType
        await this.#collect(repository, descriptor, proofs, signal)
        for (const held of (await mirror.holders?.(digest, signal)) ?? []) {
          const { descriptor: holder } = held
          const known = within.get(holder.digest) ?? { mediaType: holder.mediaType, proofs: new Map() }
          within.set(holder.digest, known)
          await this.#collect(held.repository, holder, known.proofs, signal)
        }
      })
    }
    if (mediaType === undefined) throw this.#missing(reference)
    const holders = [...within].map(
      ([digest, { mediaType, proofs }]): WithProofs => ({ digest, mediaType, proofs: [...proofs.values()] }),
    )
    return {
      digest,
      mediaType,
      proofs: [...proofs.values()],
      ...(holders.length > 0 && { within: holders }),
    }
  }

  async #collect(repository: Repository, of: Descriptor, into: Map<Digest, Proof>, signal: AbortSignal) {
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
      throw failure(
        'MIRROR_UNAVAILABLE',
        `${mirror.name} gave no answer about ${formatReference(reference)}: ${why}`,
        {
          cause,
        },
      )
    }
  }

  #missing(reference: Reference) {
    const where = this.#mirrors.map(({ name }) => name).join(', ')
    return failure('IMAGE_NOT_FOUND', `${formatReference(reference)} is not in ${where}`)
  }
}
