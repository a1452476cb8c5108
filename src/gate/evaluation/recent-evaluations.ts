import { type Json, jsonAt } from '#base/index.ts'
import type { Digest } from '#oci/index.ts'
import type { AuditReader } from '../audit/audit.ts'
import { readJson } from '../audit/objects.ts'
import type { EvaluationRecord } from '../audit/record.ts'
import { recordedDecision, recordedInput } from './evaluation-record.ts'

export interface RecentOptions {
  readonly purpose: EvaluationRecord['purpose']
  /** Of this policy alone: `resource`, `attestation/default_cpu`. */
  readonly policy: string
  /** As many, the newest of those that are looked through. */
  readonly most: number
  /** Entries that are looked through from the end of the log. Default 100 times `most`. */
  readonly within?: number
}

/** The newest evaluations of a policy with what it saw and said beside yes and no, oldest first; of a long log only the end is read. */
export async function recentEvaluations(
  audit: AuditReader,
  { purpose, policy, most, within = 100 * most }: RecentOptions,
): Promise<
  {
    readonly index: number
    readonly record: EvaluationRecord
    readonly input: Readonly<Record<string, Json>>
    readonly outputs: Json
  }[]
> {
  const { size } = await audit.log.checkpoint()
  const found: { index: number; record: EvaluationRecord }[] = []
  for await (const { index, record } of audit.records(Math.max(0, size - within), size)) {
    if (record.type !== 'evaluation' || record.purpose !== purpose) continue
    // A version may follow the name.
    if (record.policyName !== policy && !record.policyName.startsWith(`${policy}@`)) continue
    found.push({ index, record })
    if (found.length > most) found.shift()
  }
  return Promise.all(
    found.map(async ({ index, record }) => {
      const read = (digest: Digest) => readJson(audit.objects, digest)
      const [input, decision] = await Promise.all([
        recordedInput(record, read),
        recordedDecision(record, read),
      ])
      const outputs = jsonAt(decision, '/outputs') ?? null
      return { index, record, input, outputs }
    }),
  )
}
