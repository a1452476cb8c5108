import type { AuditReader } from '#gate/index.ts'
import type { Digest } from '#oci/index.ts'

/** The newest entry by which a content was let in, itself or with what holds it. */
export async function lastDecision(audit: AuditReader, content: Digest): Promise<number | undefined> {
  let last: number | undefined
  for await (const { index, record } of audit.records()) {
    if (record.type !== 'decision' || !record.allowed) continue
    if (record.subjects.some(({ digest, within }) => digest === content || within?.includes(content)))
      last = index
  }
  return last
}
