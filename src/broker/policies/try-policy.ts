import { brokerLimits, type Json } from '#base/index.ts'
import { decide, type PolicyFile } from '#policy/index.ts'
import { compileBrokerPolicy } from './compile-broker-policy.ts'
import type { PolicyName } from './types.ts'

/** A request that was asked and answered once, as the log has it. */
export interface RecordedRequest {
  /** Index of its entry. */
  readonly index: number
  readonly at: Date
  readonly principal: string
  readonly resource: string
  readonly allowed: boolean
  /** What an appraisal gave, in canonical form; undefined for a release. */
  readonly outputs?: string
  readonly input: Readonly<Record<string, Json>>
}

/** What a policy would change. Lists are cut at a limit; the counts are of all. */
export interface TriedPolicy {
  readonly tried: number
  readonly same: number
  readonly newlyAllowed: number
  readonly newlyDenied: number
  /** Appraisals that come to something else. */
  readonly different: number
  readonly changes: readonly {
    readonly entry: number
    readonly principal: string
    readonly resource: string
    readonly change: 'allowed' | 'denied' | 'different'
    readonly reasons: readonly string[]
  }[]
}

/**
 * A policy held against recorded requests, each at its own moment: what it would have answered otherwise.
 *
 * @throws what compiling throws
 */
export function tryPolicy(
  name: PolicyName,
  files: readonly PolicyFile[],
  recorded: readonly RecordedRequest[],
  toldChanges: number = brokerLimits.toldChanges,
): TriedPolicy {
  const policy = compileBrokerPolicy(name, files)
  const counts = { allowed: 0, denied: 0, different: 0 }
  const changes: TriedPolicy['changes'][number][] = []
  for (const { index, at, principal, resource, allowed, outputs, input } of recorded) {
    const decision = decide(policy, { ...input }, at)
    const isDifferent = outputs !== undefined && JSON.stringify(decision.outputs) !== outputs
    const change =
      decision.allowed !== allowed ? (allowed ? 'denied' : 'allowed') : isDifferent ? 'different' : undefined
    if (change === undefined) continue
    counts[change]++
    if (changes.length < toldChanges) {
      const reasons = decision.reasons.map(({ message }) => message)
      changes.push({ entry: index, principal, resource, change, reasons })
    }
  }
  return {
    tried: recorded.length,
    same: recorded.length - counts.allowed - counts.denied - counts.different,
    newlyAllowed: counts.allowed,
    newlyDenied: counts.denied,
    different: counts.different,
    changes,
  }
}
