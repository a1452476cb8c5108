import { type Json, type PolicyLimits, policyLimits } from '#base/index.ts'
import { failure } from './codes.ts'
import { isCompiled } from './compile.ts'
import { locate } from './engine/error-text.ts'
import { engineModule } from './engine/module.ts'
import { parseDecision } from './parse-decision.ts'
import { type Evaluation, evaluatePolicy } from './ready.ts'
import type { Decision, DecisionLimits, Policy } from './types.ts'

/** What one decision may cost where nothing else is said. */
export const decisionLimits: DecisionLimits = {
  instructions: policyLimits.instructions,
  memoryBytes: policyLimits.memoryBytes,
}

/**
 * Compiles the engine ahead of the first decision, so that that one need not wait for it. Never necessary.
 *
 * @throws POLICY_ENGINE_FAILED
 */
export function loadEngine(): void {
  engineModule()
}

/**
 * The decision of a policy about evidence at a moment: a pure function of these three. A policy that fails, runs out
 * of its limits or answers nonsense is a no that says so, and says it again whenever it is asked.
 *
 * @throws POLICY_ENGINE_FAILED where this machine cannot evaluate at all, POLICY_TOO_LARGE where the policy itself
 *   does not fit into the memory of `limits`: never to be taken for an answer
 */
export function decide(
  policy: Policy,
  evidence: Json,
  at: Date,
  limits: DecisionLimits = decisionLimits,
  { decisionBytes, reasons }: Pick<PolicyLimits, 'decisionBytes' | 'reasons'> = policyLimits,
): Decision {
  if (!isCompiled(policy)) throw failure('POLICY_ENGINE_FAILED', 'the policy was not made by compilePolicy')
  if (Number.isNaN(at.getTime())) throw failure('POLICY_ENGINE_FAILED', 'a decision needs a moment')
  const evaluation = evaluatePolicy(policy, JSON.stringify(evidence), at, limits)
  // Who read the clock and does not say for how long the answer holds may answer otherwise in the next moment.
  const soonest = evaluation.clockRead ? { validUntil: at } : {}
  const answer = answerOf(evaluation, policy, decisionBytes, reasons)
  if ('code' in answer) {
    const { code, message } = answer
    return { allowed: false, reasons: [{ code, message }], outputs: null, ...soonest }
  }
  const { allowed, reasons: why, outputs, validUntil } = answer
  if (validUntil === undefined) return { allowed, reasons: why, outputs, ...soonest }
  if (validUntil === null) return { allowed, reasons: why, outputs }
  return { allowed, reasons: why, outputs, validUntil: validUntil < at ? at : validUntil }
}

function answerOf({ outcome }: Evaluation, { rule }: Policy, maxBytes: number, maxReasons: number) {
  switch (outcome.kind) {
    case 'value':
      return parseDecision(outcome.text, maxBytes, maxReasons)
    case 'undefined':
      return { code: 'POLICY_UNDEFINED', message: `${rule} has no value for this evidence` }
    case 'instructions':
    case 'depth':
      return { code: 'POLICY_BUDGET', message: `the policy was stopped: ${outcome.text}` }
    case 'memory':
      return { code: 'POLICY_MEMORY', message: `the policy was stopped: ${outcome.text}` }
    case 'panic':
      return { code: 'POLICY_FAILED', message: `the engine gave up on the policy: ${outcome.text}` }
    case 'error': {
      const { file, line, column, message } = locate(outcome.text)
      return { code: 'POLICY_FAILED', message: file ? `${file}:${line}:${column}: ${message}` : message }
    }
  }
}
