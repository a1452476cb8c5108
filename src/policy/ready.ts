import { Lru, policyLimits } from '#base/index.ts'
import { loadPolicy } from './compile.ts'
import type { Engine, Outcome } from './engine/engine.ts'
import type { DecisionLimits, Policy } from './types.ts'

/** One evaluation: what it came to, and whether it asked what time it is. */
export interface Evaluation {
  readonly outcome: Outcome
  readonly clockRead: boolean
}

/** Engines that hold a policy already, by digest and limits. */
const ready = new Lru<string, Engine>(policyLimits.readyPolicies)

/**
 * Evaluates the policy's rule, in an engine that is ready where there is one.
 *
 * Two engines that hold the same policy are not quite alike: what was evaluated before leaves its traces in the
 * memory. They show in how much an evaluation costs, by a few parts in a hundred, and in the chance that some
 * functions ask for (json.match_schema, for its tables). So an evaluation that comes near a limit (half of it), ends
 * in the middle, or asks for chance, is judged by a fresh engine alone, which is the same everywhere.
 */
export function evaluatePolicy(policy: Policy, input: string, at: Date, limits: DecisionLimits): Evaluation {
  const key = `${policy.digest} ${limits.instructions} ${limits.memoryBytes}`
  const used = ready.get(key)
  if (used) {
    const evaluation = evaluate(used, policy, input, at)
    if (isAlike(used, limits)) return evaluation
    ready.delete(key)
  }
  // Compiling has a limit of its own: it was kept when the policy was made.
  const fresh = loadPolicy(policy, { ...limits, instructions: policyLimits.compileInstructions })
  fresh.instructionLimit = limits.instructions
  const evaluation = evaluate(fresh, policy, input, at)
  if (isAlike(fresh, limits)) ready.set(key, fresh)
  return evaluation
}

function evaluate(engine: Engine, policy: Policy, input: string, at: Date): Evaluation {
  const outcome = engine.evaluate(policy.rule, input, at)
  return { outcome, clockRead: engine.clockRead }
}

/** What this engine did, any other one that holds the policy would have done too. */
const isAlike = (engine: Engine, { instructions, memoryBytes }: DecisionLimits) =>
  !engine.trapped &&
  !engine.chanceAsked &&
  engine.instructions < instructions / 2 &&
  engine.memoryBytes < memoryBytes / 2
