import { type Principal, type Role, roleVerbs } from '#access/index.ts'
import { Lru, limits } from '#base/index.ts'
import type { Repository } from '#content/index.ts'
import { type Descriptor, type Digest, isManifestType } from '#oci/index.ts'
import type { Proof } from '#trust/index.ts'
import { companionOf, isOnlyProof } from '../companion.ts'
import { manifestHolder } from '../holder.ts'
import type { Environment, Gate, Holder, Verdict } from '../types.ts'
import { RepositoryGraph } from './repository-graph.ts'

export interface ServingGateOptions {
  readonly gate: Gate
  readonly environment: Environment
  /** Under which reference (HOST/REPOSITORY) a policy knows the repository that is served as `name`. */
  readonly referenceOf: (name: string) => string
  /** Every proof that is there for a content. */
  readonly proofsOf: (
    repository: Repository,
    content: Descriptor,
    signal: AbortSignal,
  ) => Promise<readonly Proof[]>
  /** What else holds all that is served: the archive, with its proofs. */
  readonly around?: (content: Digest) => Promise<readonly Holder[]>
  readonly now?: () => Date
}

/** A content whose bytes are about to be sent, as the registry server asks. */
export interface ServedContent {
  readonly principal: Principal
  /** In the repository, where there are access rules. */
  readonly roles?: readonly Role[]
  readonly name: string
  readonly repository: Repository
  readonly content: Descriptor
}

export interface ServingAnswer {
  readonly allowed: boolean
  readonly reason?: string
}

/** How a manifest was judged, for the blobs that follow it. */
interface Judged {
  readonly allowed: boolean
  readonly reason: string
  /** Milliseconds since 1970. */
  readonly until: number
}

/** For how long an answer counts for the blobs below it, unless it ends sooner. Manifests are always asked about. */
const followMs = 5 * 60_000
/** A no is looked at again soon: the signature that was missing may have come. */
const refusedMs = 1000

/**
 * Lets a registry serve a manifest where the gate admits it into that repository, and a blob where an admitted
 * manifest of that repository reaches it. Proofs are served with what they prove.
 */
export class ServingGate {
  readonly #options: ServingGateOptions
  readonly #now: () => Date
  readonly #graphs = new Lru<string, RepositoryGraph>(limits.servedRepositories)
  readonly #judged = new Lru<string, Judged>(limits.rememberedVerdicts)

  constructor(options: ServingGateOptions) {
    this.#options = options
    this.#now = options.now ?? (() => new Date())
  }

  /** The registry server's `admission`. */
  readonly admit = async (served: ServedContent, signal: AbortSignal): Promise<ServingAnswer> => {
    // Who may sign here has to read what nobody has signed yet; that they did is on record.
    if (served.roles?.some((role) => roleVerbs[role].includes('sign'))) return { allowed: true }
    const judged = isManifestType(served.content.mediaType)
      ? await this.#manifest(served, 0, signal)
      : await this.#blob(served, signal)
    return judged.allowed ? { allowed: true } : { allowed: false, reason: judged.reason }
  }

  async #blob(served: ServedContent, signal: AbortSignal): Promise<Judged> {
    const { repository, content, name } = served
    const parents = await this.#graph(name).parentsOf(repository, content.digest, signal)
    let refused: Judged | undefined
    for (const parent of parents) {
      const judged = await this.#following({ ...served, content: parent }, signal)
      if (judged.allowed) return judged
      refused = judged
    }
    return refused ?? this.#no(`no manifest in ${name} that is admitted names ${content.digest}`)
  }

  /** The judgement of a manifest for what follows it: remembered for a while, so that blobs ask no question each. */
  async #following(served: ServedContent, signal: AbortSignal): Promise<Judged> {
    const known = this.#judged.get(keyOf(served))
    if (known && known.until > this.#now().getTime()) return known
    return this.#manifest(served, 0, signal)
  }

  async #manifest(served: ServedContent, depth: number, signal: AbortSignal): Promise<Judged> {
    if (depth > limits.graphDepth) return this.#no('what it belongs to is nested too deep')
    const judged = await this.#judge(served, depth, signal)
    this.#judged.set(keyOf(served), judged)
    return judged
  }

  async #judge(served: ServedContent, depth: number, signal: AbortSignal): Promise<Judged> {
    const { repository, content, name } = served
    const graph = this.#graph(name)
    const read = await graph.read(repository, content, signal)
    if (isOnlyProof(read.manifest))
      return { allowed: true, reason: '', until: this.#now().getTime() + followMs }
    const subject = companionOf(read.manifest)
    if (subject) {
      const found = await repository.find(subject.digest, { signal })
      if (found) return this.#manifest({ ...served, content: found }, depth + 1, signal)
    }
    return this.#ask(served, graph, signal)
  }

  async #ask(served: ServedContent, graph: RepositoryGraph, signal: AbortSignal): Promise<Judged> {
    const { gate, environment, referenceOf, proofsOf, around } = this.#options
    const { repository, content, name, principal, roles } = served
    const within: Holder[] = []
    for (const parent of await graph.parentsOf(repository, content.digest, signal)) {
      const { bytes } = await graph.read(repository, parent, signal)
      const { mediaType } = parent
      within.push(
        manifestHolder(content.digest, { mediaType, bytes }, await proofsOf(repository, parent, signal)),
      )
    }
    within.push(...((await around?.(content.digest)) ?? []))
    const proofs = await proofsOf(repository, content, signal)
    const { digest, mediaType } = content
    const verdict = await gate.ask(
      {
        action: 'serve',
        environment,
        principal,
        ...(roles && { roles }),
        subjects: [{ digest, mediaType, reference: referenceOf(name), proofs, within }],
      },
      signal,
    )
    return verdict.allowed ? this.#yes(verdict) : this.#no(told(verdict))
  }

  #yes({ validUntil }: Verdict): Judged {
    const follow = this.#now().getTime() + followMs
    return { allowed: true, reason: '', until: Math.min(follow, validUntil?.getTime() ?? follow) }
  }

  #no(reason: string): Judged {
    return { allowed: false, reason, until: this.#now().getTime() + refusedMs }
  }

  #graph(name: string): RepositoryGraph {
    const known = this.#graphs.get(name)
    if (known) return known
    const graph = new RepositoryGraph()
    this.#graphs.set(name, graph)
    return graph
  }
}

const keyOf = ({ principal, roles = [], name, content }: ServedContent): string =>
  JSON.stringify([principal.kind, principal.name, roles, name, content.digest])

const told = ({ reasons }: Verdict): string =>
  reasons.map(({ message }) => message).join('; ') || 'the policy does not admit it'
