import type { AuditRecord } from '../audit/record.ts'
import { auditEvent, type EntryPlace, oneLine, principalText, shortened } from './audit-event.ts'

export interface SyslogOptions extends EntryPlace {
  /** This machine's name. */
  readonly host: string
  readonly app: string
  /** IANA private enterprise number of who runs this; 32473 is the one for examples (RFC 5612). */
  readonly enterprise?: number
  /** What the message says, as CEF for a collector that reads it; a line for people where it is not said. */
  readonly body?: string
}

/** Facility 13, log audit (RFC 5424 table 1). */
const facility = 13
const informational = 6
const warning = 4

/** An entry of the audit log as a message of RFC 5424, without framing. */
export function toSyslog(record: AuditRecord, options: SyslogOptions): string {
  const { log, index, version, host, app, enterprise = 32_473 } = options
  const event = auditEvent(record)
  const priority = facility * 8 + (event.allowed ? informational : warning)
  const header = [
    `<${priority}>1`,
    event.at,
    headerText(host, 255),
    headerText(app, 48),
    '-',
    headerText(`${event.type}.${event.operation}`, 32),
  ].join(' ')
  const { contents } = event
  const parameters: Record<string, string | undefined> = {
    log,
    index: String(index),
    version,
    operation: event.operation,
    outcome: event.allowed ? 'allowed' : 'denied',
    principal: principalText(event.principal),
    ...Object.fromEntries(contents.flatMap(({ name }, at) => [[`content${at || ''}`, name]])),
    ...Object.fromEntries(
      contents.flatMap(({ digest }, at) => (digest ? [[`digest${at || ''}`, digest]] : [])),
    ),
    reasons: event.reasons.map(({ code }) => code).join(' ') || undefined,
    ...event.details,
  }
  const data = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [` ${name}="${parameterValue(value)}"`],
  )
  const reasons = event.reasons.map(({ message }) => message).join('; ')
  const told = oneLine(options.body ?? (reasons === '' ? event.title : `${event.title}: ${reasons}`))
  // The mark says that what follows is UTF-8 (RFC 5424 section 6.4).
  return `${header} [sealift@${enterprise}${data.join('')}] \ufeff${told}`
}

/** The message with its length before it, as it goes over a stream (RFC 6587 section 3.4.1, RFC 5425 section 4.3). */
export function frameSyslog(message: string): Uint8Array {
  const bytes = Buffer.from(message)
  return Buffer.concat([Buffer.from(`${bytes.length} `), bytes])
}

/** PRINTUSASCII without spaces, `-` where nothing is left (RFC 5424 section 6.2). */
function headerText(text: string, most: number): string {
  return text.replace(/[^\x21-\x7e]/g, '_').slice(0, most) || '-'
}

/** RFC 5424 section 6.3.3. */
function parameterValue(value: string): string {
  return oneLine(shortened(value, 1024)).replace(/["\\\]]/g, '\\$&')
}
