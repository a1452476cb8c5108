import { referenceMember } from '#attestation/index.ts'
import { brokerLimits, type Json } from '#base/index.ts'
import { type AuditReader, recentEvaluations } from '#gate/index.ts'
import type { ReferenceBook } from '../references/types.ts'
import type { RecordedRequest } from './try-policy.ts'
import type { PolicyName } from './types.ts'

/** The newest requests that a policy was asked about, oldest first. */
export type RecordedRequests = (name: PolicyName, at: Date) => Promise<readonly RecordedRequest[]>

/**
 * What a policy is tried against: what it was asked lately, as the log has it. An appraisal was shown only the
 * reference values that the policy of then asked for; of others a policy that is tried sees those of now.
 */
export const recordedRequests =
  (read: () => Promise<AuditReader>, references: ReferenceBook): RecordedRequests =>
  async (name, at) => {
    const isRelease = name === 'resource'
    const recent = await recentEvaluations(await read(), {
      purpose: isRelease ? 'release' : 'appraisal',
      policy: name,
      most: brokerLimits.triedRequests,
    })
    const now: Record<string, Json> = {}
    for (const { name, value, expiration } of isRelease ? [] : await references.values())
      if (expiration > at) now[name] = value
    return recent.map(({ index, record, input, outputs }) => ({
      index,
      at: new Date(record.at),
      principal: `${record.principal.kind}:${record.principal.name}`,
      resource: record.resource,
      allowed: record.allowed,
      input: isRelease ? input : { ...input, [referenceMember]: { ...now, ...shown(input) } },
      ...(!isRelease && { outputs }),
    }))
  }

const shown = (input: RecordedRequest['input']): { readonly [name: string]: Json } => {
  const values = input[referenceMember]
  return typeof values === 'object' && values !== null && !Array.isArray(values) ? values : {}
}
