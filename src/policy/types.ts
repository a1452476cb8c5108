import type { Json } from '#base/index.ts'

/** One file of a policy: Rego (`*.rego`) or data (`*.json`), by a relative path that only names it in messages. */
export interface PolicyFile {
  readonly path: string
  readonly text: string
}

/** A policy that compiles: files that cannot change, and the rule that is asked. Minted by `compilePolicy` alone. */
export interface Policy {
  /** `sha256:...` over the canonical JSON of files, data, rule and the engine's own digest: same digest, same decisions. */
  readonly digest: string
  readonly files: readonly PolicyFile[]
  readonly data: Json
  /** The rule that yields the decision, as `data.sealift.trust.decision`. */
  readonly rule: string
  /**
   * What of a question the rules do not look at, where that is known: whoever asks leaves it out of the input, so
   * that questions which differ in nothing else are one. Part of the digest.
   */
  readonly ignores: readonly Ignorable[]
  /**
   * The types of the predicates that the rules look into (an SBOM is megabytes, and few do); null for all. Others are
   * left out of the input; that they are there is told all the same. Part of the digest.
   */
  readonly predicates: readonly string[] | null
}

export type Ignorable = 'principal' | 'context'

/** Why: which rule spoke, what it says to a person, and what would change its mind. */
export interface Reason {
  /** A code in capitals where the rule gives one (SIGNATURE_MISSING), else the rule's name. */
  readonly code: string
  readonly message: string
  /** What would make it yes. */
  readonly remedy?: string
  /** Digest of the content that it is about, where it is about one of several. */
  readonly subject?: string
}

/** An answer. A policy that runs out of instructions or memory, or answers nonsense, is a no with that reason: it replays too. */
export interface Decision {
  readonly allowed: boolean
  readonly reasons: readonly Reason[]
  /** What the policy says beside yes and no; null where it says nothing. */
  readonly outputs: Json
  /** The first moment at which anything that it rests on ends; absent where nothing does. It may be asked again until then. */
  readonly validUntil?: Date
}

/** How much one decision may cost. Counts, never time: the same on every machine. */
export interface DecisionLimits {
  readonly instructions: number
  readonly memoryBytes: number
}
