import type { AuditRecord } from '#gate/index.ts'
import type { AuditListFlags } from '../commands/audit.ts'
import type { Context } from '../context.ts'
import { openAuditReader } from '../gate/audit-reader.ts'
import { openSession } from '../session.ts'
import { print, table } from '../shell/print.ts'

export async function run(this: Context, flags: AuditListFlags): Promise<void> {
  await using session = await openSession(this, flags)
  await using audit = await openAuditReader(this, session.settings, flags)
  const entries: { index: number; record: AuditRecord }[] = []
  for await (const entry of audit.records(flags.from, flags.to)) {
    session.signal.throwIfAborted()
    const { record } = entry
    if (flags.type !== undefined && record.type !== flags.type) continue
    if (flags.denied && (record.type === 'receipt' || record.allowed)) continue
    entries.push(entry)
  }
  print(this, session.format, entries, () =>
    table(
      ['ENTRY', 'AT', 'WHO', 'WHAT', 'ANSWER', 'CONTENT'],
      entries.map(({ index, record }) => [String(index), record.at, ...columns(record)]),
    ),
  )
}

function columns(record: AuditRecord): [who: string, what: string, answer: string, content: string] {
  if (record.type === 'receipt') return [record.site, 'receipt', record.action, record.content]
  const { principal, allowed } = record
  const who = `${principal.kind}:${principal.name}`
  const answer = allowed ? 'yes' : 'no'
  if (record.type === 'access') {
    return [who, record.verb, answer, [record.repository, record.reference ?? ''].join(' ').trim()]
  }
  const why = allowed ? '' : ` (${record.reasons.map(({ code }) => code).join(', ')})`
  if (record.type === 'evaluation') return [who, record.purpose, `${answer}${why}`, record.resource]
  const [first] = record.subjects
  const more = record.subjects.length > 1 ? ` and ${record.subjects.length - 1} more` : ''
  return [
    who,
    `${record.action} in ${record.environment}`,
    `${answer}${why}`,
    `${first?.reference ?? ''}${more}`,
  ]
}
