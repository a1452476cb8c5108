import { hostname } from 'node:os'
import {
  type AuditRecord,
  frameSyslog,
  toCef,
  toOcsf,
  toSyslog,
  toVerificationSummaries,
} from '#gate/index.ts'
import { parseNoteKey } from '#log/index.ts'
import { formatStatement } from '#trust/index.ts'
import type { AuditExportFlags } from '../commands/audit.ts'
import type { Context } from '../context.ts'
import { openAuditReader } from '../gate/audit-reader.ts'
import { openSession } from '../session.ts'
import { version } from '../version.ts'

export async function run(this: Context, flags: AuditExportFlags): Promise<void> {
  await using session = await openSession(this, {})
  await using audit = await openAuditReader(this, session.settings, flags)
  const log = parseNoteKey(audit.verifierKey).name
  for await (const { index, record } of audit.records(flags.from, flags.to)) {
    session.signal.throwIfAborted()
    for (const line of linesOf(record, flags.as, { log, index, version })) this.process.stdout.write(line)
  }
}

interface Place {
  readonly log: string
  readonly index: number
  readonly version: string
}

function linesOf(record: AuditRecord, form: AuditExportFlags['as'], place: Place): (string | Uint8Array)[] {
  switch (form) {
    case 'ocsf':
      return [`${JSON.stringify(toOcsf(record, place))}\n`]
    case 'cef':
      return [`${toCef(record, place)}\n`]
    case 'syslog':
      return [frameSyslog(toSyslog(record, { ...place, host: hostname(), app: 'sealift' }))]
    case 'vsa':
      if (record.type !== 'decision') return []
      return toVerificationSummaries(record, { verifierId: place.log, version: place.version }).map(
        ({ subject, predicateType, predicate }) =>
          `${Buffer.from(formatStatement([subject], predicateType, predicate))}\n`,
      )
    case 'json':
      return [`${JSON.stringify({ entry: place.index, ...record })}\n`]
  }
}
