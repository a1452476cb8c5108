import { createHash } from 'node:crypto'
import { type AuditPlace, type OpenedAudit, type OpenedBroker, openBroker } from '#broker/index.ts'
import { openPostgresAudit } from '#gate/index.ts'
import { readAuditPlace, shareAuditPlace } from '../gate/audit-place.ts'
import { version } from '../version.ts'

/** The broker of a directory, in this process. @throws as `openBroker` and `shareAuditPlace` */
export const openBrokerHere = (directory: string): Promise<OpenedBroker> =>
  openBroker(directory, { openAudit: openBrokerAudit, build: `sealift ${version}` })

/** The audit log of a broker: a folder is shared with commands beside the server, a database with replicas. */
async function openBrokerAudit(place: AuditPlace): Promise<OpenedAudit> {
  if (place.kind === 'files') {
    const audit = await shareAuditPlace(place.directory)
    return {
      audit,
      read: () => readAuditPlace(place.directory),
      [Symbol.asyncDispose]: () => audit[Symbol.asyncDispose](),
    }
  }
  const { url, password, key } = place
  const audit = await openPostgresAudit({
    url,
    key,
    // Its name comes from the key, so that all replicas have one.
    origin: `sealift/broker/audit/${originOf(place)}`,
    ...(password !== undefined && { password }),
  })
  return { audit, read: async () => audit, [Symbol.asyncDispose]: () => audit[Symbol.asyncDispose]() }
}

const originOf = ({ key }: Extract<AuditPlace, { kind: 'postgres' }>): string => {
  const { x } = key.export({ format: 'jwk' })
  return createHash('sha256').update(x!).digest('hex').slice(0, 16)
}
