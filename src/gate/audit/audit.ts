import type { Log, LogReader } from '#log/index.ts'
import type { Objects } from './objects.ts'
import { type AuditRecord, parseRecord, recordBytes } from './record.ts'

/** What is written down of every decision: a log that cannot be rewritten, and beside it what its entries name. */
export interface Audit {
  readonly objects: Objects
  /** Durable when it resolves; the index of the entry. */
  append(record: AuditRecord): Promise<number>
}

/** An audit log as its readers see it. */
export interface AuditReader {
  readonly objects: Objects
  readonly log: LogReader
  /** Entries in order. @throws RECORD_INVALID, LOG_TILE_INVALID */
  records(from?: number, to?: number): AsyncIterable<{ readonly index: number; readonly record: AuditRecord }>
}

export function auditOf(log: Log, objects: Objects): Audit & AuditReader {
  return {
    ...auditReader(log, objects),
    append: async (record) => (await log.append(recordBytes(record))).index,
  }
}

export function auditReader(log: LogReader, objects: Objects): AuditReader {
  return {
    objects,
    log,
    async *records(from = 0, to) {
      for await (const { index, bytes } of log.entries(from, to)) yield { index, record: parseRecord(bytes) }
    },
  }
}
