import { type Json, Lru } from '#base/index.ts'
import type { Digest } from '#oci/index.ts'
import { type Decision, decide, type Policy } from '#policy/index.ts'
import type { Audit } from '../audit/audit.ts'
import { keepJson, type Objects } from '../audit/objects.ts'
import type { EvaluationRecord } from '../audit/record.ts'
import { evaluationRecord } from './evaluation-record.ts'
import type { Evaluated, Evaluation, EvaluationGate } from './types.ts'

export interface PolicyGateOptions {
  /** Where evaluations are recorded; without it none is. */
  readonly audit?: Audit
}

/** Decides by the policy alone, records, answers. */
export class PolicyGate implements EvaluationGate {
  readonly #audit: Audit | undefined
  /** Policies that are kept already, by their own digests. */
  readonly #kept = new Lru<string, Promise<Digest>>(256)

  constructor({ audit }: PolicyGateOptions = {}) {
    this.#audit = audit
  }

  async ask(
    evaluation: Evaluation,
    at: Date,
    signal: AbortSignal,
  ): Promise<Decision & { readonly entry?: number }> {
    const decision = decide(evaluation.policy, { ...evaluation.input }, at)
    const entry = await this.record([{ evaluation, decision, at }], signal)
    return { ...decision, ...(entry !== undefined && { entry }) }
  }

  async record(evaluated: readonly Evaluated[], signal: AbortSignal): Promise<number | undefined> {
    signal.throwIfAborted()
    const audit = this.#audit
    if (!audit) return undefined
    const records: EvaluationRecord[] = []
    for (const one of evaluated) {
      const policy = await this.#keep(one.evaluation.policy, audit.objects)
      records.push(await evaluationRecord(one, policy, audit.objects))
    }
    // All of them in one turn, so that one commit takes them.
    const indexes = await Promise.all(records.map((record) => audit.append(record)))
    return indexes.at(-1)
  }

  #keep(policy: Policy, objects: Objects): Promise<Digest> {
    const known = this.#kept.get(policy.digest)
    if (known) return known
    const { digest, files, data, rule, ignores, predicates } = policy
    const stored = { digest, files, data, rule, ignores, predicates } as unknown as Json
    const kept = keepJson(objects, stored)
    this.#kept.set(digest, kept)
    kept.catch(() => this.#kept.delete(digest))
    return kept
  }
}
