import type { Json } from '#base/index.ts'
import { type Decision, decide, type Policy } from '#policy/index.ts'
import type { ProofFacts, SubjectEvidence } from '#trust/index.ts'
import { overridesIn } from './override.ts'
import type { ReleaseFacts } from './releases/known-releases.ts'
import type { Question } from './types.ts'

/** A question with its proofs judged: all that a decision is made of, beside policy and moment. */
export interface JudgedQuestion
  extends Pick<Question, 'action' | 'environment' | 'principal' | 'roles' | 'context'> {
  readonly evidence: readonly {
    readonly reference: string
    readonly evidence: SubjectEvidence
    /** When judging again may give something else. */
    readonly validUntil?: Date | undefined
  }[]
  readonly releases?: ReleaseFacts | undefined
}

/** Decides; used when a question is asked and when it is replayed, so that both do the same. */
export function decideQuestion(policy: Policy, asked: JudgedQuestion, at: Date): Decision {
  const decision = decide(policy, decisionInput(policy, asked), at)
  const ends = asked.evidence.map(({ validUntil }) => validUntil)
  return withEnd(decision, earliest([decision.validUntil, ...ends]), at)
}

/**
 * What a policy sees as `input` (docs/trust-policy.md). The moment is not in it; a policy asks its clock, which is
 * the moment of the decision.
 */
function decisionInput(policy: Policy, asked: JudgedQuestion): Json {
  const { action, environment, evidence, releases = {} } = asked
  const input = {
    action,
    environment,
    ...seenBy(policy, asked),
    subjects: evidence.map(({ reference, evidence: { subject, signatures, attestations, refused } }) => ({
      subject: { ...subject, reference },
      signatures,
      attestations: attestations.map((facts) => readable(policy, facts)),
      refused,
    })),
    releases,
    overrides: evidence.flatMap(({ evidence: facts }) => overridesIn(facts)),
  }
  return input as unknown as Json
}

/** Without its predicate where no rule looks into one of its type. */
function readable({ predicates }: Policy, facts: ProofFacts): ProofFacts {
  if (predicates === null || predicates.includes(facts.predicateType)) return facts
  const { predicate: _, ...rest } = facts
  return rest
}

/** Who asks and the context, as far as the policy looks at them: the rest cannot make a difference. */
export function seenBy(
  { ignores }: Policy,
  { principal, roles = [], context = null }: Pick<Question, 'principal' | 'roles' | 'context'>,
): { readonly principal: Json; readonly context: Json } {
  const { kind, name, groups = [] } = principal
  return {
    principal: ignores.includes('principal')
      ? { kind: 'anonymous', name: '', groups: [], roles: [] }
      : { kind, name, groups: [...groups], roles: [...roles] },
    context: ignores.includes('context') ? null : context,
  }
}

/** A decision as it is kept and compared: plain JSON. */
export function decisionFacts({ allowed, reasons, outputs, validUntil }: Decision): Json {
  const facts = { allowed, reasons, outputs, ...(validUntil && { validUntil: validUntil.toISOString() }) }
  return facts as unknown as Json
}

/** The first of these moments. What is no moment ends everything: a mistake never makes an answer last longer. */
export function earliest(ends: readonly (Date | undefined)[]): Date | undefined {
  let first: number | undefined
  for (const end of ends) {
    if (end === undefined) continue
    const ms = end.getTime()
    first = Number.isNaN(ms) ? 0 : Math.min(first ?? ms, ms)
  }
  return first === undefined ? undefined : new Date(first)
}

/** The last millisecond that RFC 3339 can tell. */
const lastMoment = Date.parse('9999-12-31T23:59:59.999Z')

function withEnd(decision: Decision, end: Date | undefined, at: Date): Decision {
  const { validUntil: _, ...rest } = decision
  if (!end) return rest
  return { ...rest, validUntil: new Date(Math.min(Math.max(end.getTime(), at.getTime()), lastMoment)) }
}
