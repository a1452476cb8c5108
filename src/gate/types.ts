import type { Principal } from '#access/index.ts'
import type { Json } from '#base/index.ts'
import type { Digest } from '#oci/index.ts'
import type { Decision } from '#policy/index.ts'
import type { Proof } from '#trust/index.ts'

/** Where one stands when one asks. */
export type Action = 'pack' | 'load' | 'serve' | 'relocate' | 'install' | 'admit' | 'release'
export type Environment = 'build' | 'trial' | 'production'

/** One content in question, and every proof that came with it. */
export interface Subject {
  readonly digest: Digest
  readonly mediaType: string
  /** HOST/REPOSITORY[:TAG][@DIGEST]: what patterns of policies are held against. */
  readonly reference: string
  readonly proofs: readonly Proof[]
}

/** What is asked: may `principal` do `action` with all of `subjects`. */
export interface Question {
  readonly action: Action
  readonly environment: Environment
  readonly principal: Principal
  readonly subjects: readonly Subject[]
  /** What else the policy may look at: namespace, pod, bundle name, resource path. */
  readonly context?: Json
}

/** The one place where content is let in. */
export interface Gate {
  /** Gathers, decides, and records before it answers. A no is a value, not an error. */
  ask(question: Question, signal: AbortSignal): Promise<Verdict>
}

/** A decision and where it stands in the log. */
export interface Verdict extends Decision {
  /** Index of the log's entry; the same one again where the answer was remembered. */
  readonly entry?: number
  readonly remembered: boolean
}
