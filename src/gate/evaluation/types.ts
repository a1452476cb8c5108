import type { Json } from '#base/index.ts'
import type { Decision, Policy } from '#policy/index.ts'
import type { RecordedPrincipal } from '../audit/record.ts'

/**
 * A question about something that is no content: may this guest have this secret (`release`), what is this evidence
 * worth (`appraisal`). The policy sees exactly `input`.
 */
export interface Evaluation {
  readonly purpose: 'release' | 'appraisal'
  readonly principal: RecordedPrincipal
  /** What it is about, for people who read the log: `resource/default/key/one`, `attestation/default_cpu`. Never a secret. */
  readonly resource: string
  /** The policy's name and version, for people; its digest is what counts. */
  readonly policyName: string
  readonly policy: Policy
  readonly input: { readonly [member: string]: Json }
  /** Members of `input` that are large and the same for many (reference values): kept beside the log by their digests. */
  readonly shared?: readonly string[]
}

/** An evaluation that was decided already (by a pure function, at `at`), to be written down. */
export interface Evaluated {
  readonly evaluation: Evaluation
  readonly decision: Decision
  readonly at: Date
}

/** The same gate for what is no content: decided by the policy alone, recorded before it is answered. */
export interface EvaluationGate {
  /** @returns the decision, and the index of its entry. A no is a value. */
  ask(evaluation: Evaluation, at: Date, signal: AbortSignal): Promise<Decision & { readonly entry?: number }>
  /** Writes down, durably when it resolves, in order. @returns the index of the last entry */
  record(evaluated: readonly Evaluated[], signal: AbortSignal): Promise<number | undefined>
}
