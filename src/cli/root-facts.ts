import { X509Certificate } from 'node:crypto'
import { parsePublicKey } from '#keys/index.ts'
import { parseTrustedRoot, type StoredRoot } from '#trust/index.ts'
import { oneLine, table } from './shell/print.ts'

interface Validity {
  readonly validFrom: number
  readonly validUntil: number
}

const times = ({ validFrom, validUntil }: Validity) => ({
  ...(Number.isFinite(validFrom) && { validFrom: new Date(validFrom).toISOString() }),
  ...(Number.isFinite(validUntil) && { validUntil: new Date(validUntil).toISOString() }),
})

/** What `trust-root` tells of a stored root: all of it but the certificates and keys themselves. */
export function rootFacts(stored: StoredRoot, at: Date) {
  const { name, origin, fetchedAt, issuers, updateKeys } = stored
  const root = parseTrustedRoot(stored)
  const logs = (all: typeof root.logs) => all.map((log) => ({ id: log.ids[0] ?? '', ...times(log) }))
  // Parsed certificates compare names by their bytes; what a person reads comes from the raw one.
  const authorities = (
    all: readonly (Validity & { readonly chain: readonly { readonly der: Uint8Array }[] })[],
  ) => all.map((authority) => ({ subject: subjectOf(authority.chain[0]?.der), ...times(authority) }))
  return {
    name,
    origin: origin.kind,
    ...(origin.kind !== 'file' && { version: origin.version }),
    ...(origin.kind === 'tuf' && { mirror: origin.mirror }),
    fetchedAt,
    ageSeconds: Math.max(0, Math.floor((at.getTime() - Date.parse(fetchedAt)) / 1000)),
    ...(issuers && { issuers }),
    updateKeys: updateKeys.map(({ name: key, pem }) => ({
      name: key,
      id: parsePublicKey(Buffer.from(pem)).id,
    })),
    authorities: authorities(root.authorities),
    timeStampAuthorities: root.timeStampAuthorities.map(({ leaf, chain, ...life }) => ({
      subject: subjectOf((leaf ?? chain[0])?.der),
      ...times(life),
    })),
    logs: logs(root.logs),
    certificateLogs: logs(root.certificateLogs),
  }
}

export type RootFacts = ReturnType<typeof rootFacts>

function subjectOf(der: Uint8Array | undefined): string {
  if (!der) return ''
  return new X509Certificate(der).subject?.replaceAll('\n', ', ') ?? ''
}

export function rootLines(facts: RootFacts): string {
  const { name, origin, version, fetchedAt, ageSeconds, issuers, updateKeys, mirror } = facts
  const days = Math.floor(ageSeconds / 86_400)
  const how = { file: 'imported as a file', carried: 'carried, signed', tuf: `by TUF from ${mirror}` }[origin]
  const rows = [
    ...facts.authorities.map((one) => ['authority', one.subject, one]),
    ...facts.certificateLogs.map((one) => ['certificate log', one.id, one]),
    ...facts.logs.map((one) => ['log', one.id, one]),
    ...facts.timeStampAuthorities.map((one) => ['time stamps', one.subject, one]),
  ] as const
  return [
    `${name}: ${how}${version === undefined ? '' : `, version ${version}`}; here since ${fetchedAt} (${days} days)`,
    `  vouches for ${issuers ? oneLine(issuers.join(', ')) : 'every issuer'}`,
    ...updateKeys.map((key) => `  updated by ${key.name} (${key.id})`),
    table(
      ['KIND', 'WHO', 'FROM', 'UNTIL'],
      rows.map(([kind, who, life]) => [
        kind as string,
        who as string,
        (life as { validFrom?: string }).validFrom ?? '',
        (life as { validUntil?: string }).validUntil ?? '',
      ]),
    ),
  ].join('\n')
}
