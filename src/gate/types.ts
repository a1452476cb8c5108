import type { Principal, Role } from '#access/index.ts'
import type { Json } from '#base/index.ts'
import type { Digest } from '#oci/index.ts'
import type { Decision } from '#policy/index.ts'
import type { Proof } from '#trust/index.ts'

/** Where one stands when one asks. */
export type Action = 'pack' | 'load' | 'serve' | 'relocate' | 'install' | 'admit' | 'release'
export const actions: readonly Action[] = ['pack', 'load', 'serve', 'relocate', 'install', 'admit', 'release']

/** How much is at stake: each has obligations of its own in a policy. */
export type Environment = 'build' | 'trial' | 'production'
export const environments: readonly Environment[] = ['build', 'trial', 'production']

/** A content and every proof that was found with it, not judged yet. */
export interface WithProofs {
  readonly digest: Digest
  readonly mediaType: string
  readonly proofs: readonly Proof[]
}

declare const minted: unique symbol

/**
 * What holds a content by its digest (an index, a bundle, the archive): a proof about it is a proof about the content
 * too. Minted by `manifestHolder` and `archiveHolder` alone, which look.
 */
export interface Holder extends WithProofs {
  readonly [minted]: true
}

/** One content in question. */
export interface Subject extends WithProofs {
  /**
   * HOST/REPOSITORY[:TAG]: what patterns of policies are held against. The name that it has or will have here, where
   * there is one; not what somebody wrote on the box.
   */
  readonly reference: string
  /** Outermost last. */
  readonly within?: readonly Holder[]
}

/** What is asked: may `principal` do `action` with all of `subjects`. */
export interface Question {
  readonly action: Action
  readonly environment: Environment
  readonly principal: Principal
  /** The roles that `principal` has over all of the subjects; a policy may ask for one. */
  readonly roles?: readonly Role[]
  /** At least one: all of none would be a yes. */
  readonly subjects: readonly Subject[]
  /** What else the policy may look at: namespace, pod, bundle name, resource path. */
  readonly context?: Json
  /** Decide, and leave no trace: nothing is let in by the answer (Kubernetes: sideEffects NoneOnDryRun). */
  readonly dryRun?: boolean
  /** Asked to know, and recorded; nothing is let in by the answer, so no release counts as seen. */
  readonly isInquiry?: boolean
}

/** The one place where content is let in. */
export interface Gate {
  /** Judges the proofs, decides, and records before it answers. A no is a value, not an error. */
  ask(question: Question, signal: AbortSignal): Promise<Verdict>
}

/** A decision and where it stands in the log. */
export interface Verdict extends Decision {
  /** Index of the log's entry; absent where nothing is recorded. Each question has an entry of its own. */
  readonly entry?: number
  /** Whether the decision was made before, for the same question and evidence, and holds still. */
  readonly remembered: boolean
}
