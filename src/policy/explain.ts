import type { Json } from '#base/index.ts'
import { loadPolicy } from './compile.ts'
import { decide, decisionLimits } from './decide.ts'
import type { Engine } from './engine/engine.ts'
import { locate } from './engine/error-text.ts'
import { declarationsOf } from './rego-text.ts'
import type { Decision, DecisionLimits, Policy } from './types.ts'

/** What one rule came to for this evidence. */
export interface RuleValue {
  /** `data.PACKAGE.NAME` */
  readonly name: string
  readonly file: string
  readonly line: number
  /** Absent where the rule has no value; the engine's words where it failed. */
  readonly value?: Json
  readonly error?: string
}

/** A decision with the rules behind it. */
export interface Explanation {
  readonly decision: Decision
  /** Every rule in the package of the rule that decides, without functions, in the order in which they stand. */
  readonly rules: readonly RuleValue[]
}

/** Decides, and tells what every rule beside the deciding one came to. For people: it costs as much as the rules are many. */
export function explain(
  policy: Policy,
  evidence: Json,
  at: Date,
  limits: DecisionLimits = decisionLimits,
): Explanation {
  const decision = decide(policy, evidence, at, limits)
  const input = JSON.stringify(evidence)
  const space = policy.rule.slice('data.'.length, policy.rule.lastIndexOf('.'))
  const rules: RuleValue[] = []
  let engine: Engine | undefined
  for (const { path: file, text } of policy.files.filter(({ path }) => path.endsWith('.rego'))) {
    const declared = declarationsOf(text)
    if (declared.package !== space) continue
    for (const { name: rule, line } of declared.rules) {
      const name = `data.${space}.${rule}`
      if (!engine || engine.trapped) engine = loadPolicy(policy, limits)
      const outcome = engine.evaluate(name, input, at)
      if (outcome.kind === 'value') rules.push({ name, file, line, value: JSON.parse(outcome.text) as Json })
      else if (outcome.kind === 'undefined') rules.push({ name, file, line })
      else rules.push({ name, file, line, error: locate(outcome.text).message })
    }
  }
  return { decision, rules }
}
