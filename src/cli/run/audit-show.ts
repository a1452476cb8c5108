import { type Json, limits, parseJson } from '#base/index.ts'
import {
  type AuditReader,
  type AuditRecord,
  parseRecord,
  recordedDecision,
  recordedInput,
} from '#gate/index.ts'
import { formatLogProof, proveEntry } from '#log/index.ts'
import type { Digest } from '#oci/index.ts'
import type { AuditShowFlags } from '../commands/audit.ts'
import type { Context } from '../context.ts'
import { openAuditReader } from '../gate/audit-reader.ts'
import { openSession } from '../session.ts'
import { print } from '../shell/print.ts'

export async function run(this: Context, flags: AuditShowFlags, index: number): Promise<void> {
  await using session = await openSession(this, flags)
  await using audit = await openAuditReader(this, session.settings, flags)
  const record = parseRecord(await audit.log.entry(index))
  const named = await namedBy(audit, record)
  const proof = formatLogProof(await proveEntry(audit.log, index))
  const value = { index, record, ...named, proof }
  print(this, session.format, value, () =>
    [
      `entry ${index}`,
      JSON.stringify(record, null, 2),
      ...Object.values(named).map((one) => JSON.stringify(one, null, 2)),
      '',
      proof.trimEnd(),
    ].join('\n'),
  )
}

/** What lies beside the log. */
async function namedBy(audit: AuditReader, record: AuditRecord): Promise<Readonly<Record<string, Json>>> {
  const read = async (digest: Digest) =>
    parseJson(await audit.objects.read(digest), {
      maxBytes: limits.auditObjectBytes,
      maxDepth: 2 * limits.jsonDepth,
    })
  if (record.type === 'evaluation') {
    const { inputDigest, decisionDigest, shared } = record
    return {
      ...((inputDigest || shared) && { input: await recordedInput(record, read) }),
      ...(decisionDigest && { decision: await recordedDecision(record, read) }),
    }
  }
  if (record.type !== 'decision') return {}
  const { subjects, decision } = record
  const evidence = await Promise.all(subjects.map((subject) => read(subject.evidence)))
  return { decision: await read(decision), evidence }
}
