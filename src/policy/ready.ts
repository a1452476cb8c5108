import { Lru, policyLimits } from '#base/index.ts'
import { loadPolicy } from './compile.ts'
import type { Engine, Outcome } from './engine/engine.ts'
import type { DecisionLimits, Policy } from './types.ts'

/** One evaluation: what it came to, and what it asked for from outside. */
export interface Evaluation {
  readonly outcome: Outcome
  readonly clockRead: boolean
  readonly chanceAsked: boolean
}

/** Engines that hold a policy already, by digest and limits. */
const ready = new Lru<string, Engine>(policyLimits.readyPolicies)

/**
 * Evaluates the policy's rule, in an engine that is ready where there is one.
 *
 * Two engines that hold the same policy are not quite alike: what was evaluated before leaves its traces in the
 * memory. They show only in how much an evaluation costs, by a few parts in a hundred. So an evaluation that comes
 * near a limit (half of it), or ends in the middle, is judged by a fresh engine alone, which is the same everywhere.
 */
export function evaluatePolicy(policy: Policy, input: string, at: Date, limits: DecisionLimits): Evaluation {
  const key = `${policy.digest} ${limits.instructions} ${limits.memoryBytes}`
  const used = ready.get(key)
  if (used) {
    const evaluation = evaluate(used, policy, input, at)
    if (isFarFrom(used, limits) && !evaluation.chanceAsked) return evaluation
    ready.delete(key)
  }
  const fresh = loadPolicy(policy, limits)
  const evaluation = evaluate(fresh, policy, input, at)
  if (isFarFrom(fresh, limits) && !evaluation.chanceAsked) ready.set(key, fresh)
  return evaluation
}

function evaluate(engine: Engine, policy: Policy, input: string, at: Date): Evaluation {
  const outcome = engine.evaluate(policy.rule, input, at)
  const { clockRead, chanceAsked } = engine
  return { outcome, clockRead, chanceAsked }
}

const isFarFrom = (engine: Engine, { instructions, memoryBytes }: DecisionLimits) =>
  !engine.trapped && engine.instructions < instructions / 2 && engine.memoryBytes < memoryBytes / 2
