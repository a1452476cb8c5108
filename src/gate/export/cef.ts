import type { AuditRecord } from '../audit/record.ts'
import { auditEvent, type EntryPlace, oneLine, principalText, shortened } from './audit-event.ts'

/** An entry of the audit log in the Common Event Format (CEF:0), one line without its end. */
export function toCef(record: AuditRecord, { log, index, version }: EntryPlace): string {
  const event = auditEvent(record)
  const severity = event.allowed ? 2 : 6
  const header = ['Sealift', 'sealift', version, `${event.type}.${event.operation}`, event.title]
  const { policy, trust, environment, roles, policyName, trustClaims } = event.details
  const contents = event.contents.map(({ name, digest }) => (digest ? `${name} ${digest}` : name)).join(' ')
  // Names and lengths are those of the CEF extension dictionary.
  const extension: [string, string | undefined, number][] = [
    ['rt', String(Date.parse(event.at)), 32],
    ['externalId', String(index), 40],
    ['cat', event.type, 1023],
    ['act', event.operation, 63],
    ['outcome', event.allowed ? 'success' : 'failure', 63],
    ['suser', principalText(event.principal), 1023],
    ['spriv', roles, 1023],
    ['reason', event.reasons.map(({ code }) => code).join(' ') || undefined, 1023],
    ['msg', event.reasons.map(({ message }) => message).join('; ') || undefined, 1023],
    ...labelled(1, 'log', log),
    ...labelled(2, 'contents', contents),
    ...labelled(3, 'environment', environment),
    ...labelled(4, 'policy', policy),
    ...labelled(5, 'trust', trust ?? trustClaims),
    ...labelled(6, 'policyName', policyName),
  ]
  const fields = extension.flatMap(([key, value, most]) =>
    value === undefined ? [] : [`${key}=${extensionValue(shortened(value, most))}`],
  )
  return ['CEF:0', ...header.map(headerField), severity, fields.join(' ')].join('|')
}

function labelled(
  at: number,
  label: string,
  value: string | undefined,
): [string, string | undefined, number][] {
  if (value === undefined) return []
  return [
    [`cs${at}Label`, label, 1023],
    [`cs${at}`, value, 4000],
  ]
}

const headerField = (text: string): string => oneLine(text).replace(/[\\|]/g, '\\$&')

/** An unescaped `=` would begin a new field; line ends have their own spelling in extensions. */
function extensionValue(text: string): string {
  const lines = text.split(/\r\n|\n|\r/)
  return lines.map((line) => oneLine(line).replace(/[\\=]/g, '\\$&')).join('\\n')
}
