import { isFailure } from '#base/index.ts'
import type { Digest } from '#oci/index.ts'
import type { SubjectEvidence } from '#trust/index.ts'
import type { AuditReader } from './audit.ts'
import { readJson } from './objects.ts'
import type { AuditRecord } from './record.ts'
import { questionOf } from './record-of.ts'

export interface Missing {
  readonly digest: Digest
  readonly why: string
}

/**
 * What a record names, down to each proof, and what cannot be had of it.
 *
 * @param seen what was found good before; added to
 */
export async function missingOf(
  { objects }: AuditReader,
  record: AuditRecord,
  seen: Set<Digest>,
): Promise<Missing[]> {
  if (record.type !== 'decision' && record.type !== 'evaluation') return []
  const missing: Missing[] = []
  const has = async (digest: Digest): Promise<boolean> => {
    if (seen.has(digest)) return true
    try {
      await objects.read(digest)
      seen.add(digest)
      return true
    } catch (error) {
      if (!isFailure(error, 'AUDIT_OBJECT_MISSING')) throw error
      missing.push({ digest, why: error.message })
      return false
    }
  }
  if (record.type === 'evaluation') {
    const { policy, inputDigest, decisionDigest, shared = {} } = record
    for (const digest of [policy, inputDigest, decisionDigest, ...Object.values(shared)])
      if (digest) await has(digest)
    return missing
  }
  const { policy, trust, decision, releases, question } = record
  for (const digest of [policy, trust, decision, releases]) if (digest) await has(digest)
  if (question && !(await has(question))) return missing
  const { subjects } = await questionOf(record, (digest) => readJson(objects, digest))
  for (const { evidence } of subjects) {
    if (seen.has(evidence) || !(await has(evidence))) continue
    const facts = (await readJson(objects, evidence)) as unknown as SubjectEvidence
    const refused = facts.refused.filter(({ code }) => code !== 'PROOF_UNREADABLE')
    for (const { digest } of [...facts.signatures, ...facts.attestations, ...refused]) await has(digest)
  }
  return missing
}
