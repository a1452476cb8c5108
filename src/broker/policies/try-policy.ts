import { setImmediate } from 'node:timers/promises'
import { brokerLimits, canonicalJson, type Json } from '#base/index.ts'
import { type Decision, decide, type PolicyFile } from '#policy/index.ts'
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
  /** What an appraisal gave; undefined for a release. */
  readonly outputs?: Json
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
  /** Of all of these, where the policy failed or ran out of its limits: told among the denied. */
  readonly failed: number
  readonly changes: readonly {
    readonly entry: number
    readonly principal: string
    readonly resource: string
    readonly change: 'allowed' | 'denied' | 'different'
    readonly reasons: readonly string[]
  }[]
}

type Change = TriedPolicy['changes'][number]

/** Nothing else is answered meanwhile for longer than this. */
const sliceMs = 20

/**
 * A policy held against recorded requests, each at its own moment: what it would answer otherwise than was answered.
 *
 * @throws what compiling throws, and the signal's reason
 */
export async function tryPolicy(
  name: PolicyName,
  files: readonly PolicyFile[],
  recorded: readonly RecordedRequest[],
  signal?: AbortSignal,
  toldChanges: number = brokerLimits.toldChanges,
): Promise<TriedPolicy> {
  const policy = compileBrokerPolicy(name, files)
  const counts = { allowed: 0, denied: 0, different: 0, failed: 0 }
  const changes: Change[] = []
  let slice = performance.now()
  for (const request of recorded) {
    if (performance.now() - slice > sliceMs) {
      await setImmediate()
      slice = performance.now()
    }
    signal?.throwIfAborted()
    const decision = decide(policy, { ...request.input }, request.at)
    if (failures.has(decision.reasons[0]?.code ?? '')) counts.failed++
    const change = changeOf(request, decision)
    if (change === undefined) continue
    counts[change]++
    if (changes.length < toldChanges) {
      const { index: entry, principal, resource } = request
      const reasons = decision.reasons.map(({ message }) => message)
      changes.push({ entry, principal, resource, change, reasons })
    }
  }
  const { allowed: newlyAllowed, denied: newlyDenied, different, failed } = counts
  const same = recorded.length - newlyAllowed - newlyDenied - different
  return { tried: recorded.length, same, newlyAllowed, newlyDenied, different, failed, changes }
}

function changeOf({ allowed, outputs }: RecordedRequest, decision: Decision): Change['change'] | undefined {
  if (decision.allowed !== allowed) return decision.allowed ? 'allowed' : 'denied'
  const isSame = outputs === undefined || textOf(outputs) === textOf(decision.outputs)
  return isSame ? undefined : 'different'
}

const textOf = (value: Json): string => Buffer.from(canonicalJson(value)).toString()

/** Reasons that the engine gives for a policy, and no policy of ours for itself. */
const failures: ReadonlySet<string> = new Set([
  'POLICY_BUDGET',
  'POLICY_FAILED',
  'POLICY_MEMORY',
  'POLICY_RESULT_INVALID',
  'POLICY_UNDEFINED',
])
