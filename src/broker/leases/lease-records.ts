import { createHash } from 'node:crypto'
import { canonicalJson, type Json, parseJson, SealiftError } from '#base/index.ts'
import type { SecretStore } from '../types.ts'
import { failure } from './codes.ts'

/** Under a name: who holds it until when, with which address. Times are milliseconds since 1970. */
export interface NameRecord {
  readonly id: string
  readonly name: string
  readonly holder: string
  /** As 32 or 128 bits in hex. */
  readonly address: string
  readonly from: number
  readonly until: number
  /** Whether the address points here too: what is not settled was not granted to `until` yet. */
  readonly settled: boolean
  /** What was issued under the lease: read and written by who issues. */
  readonly issued: readonly IssuedRecord[]
}

/** Something that was issued under a lease, and lasts no longer than it. */
export interface IssuedRecord {
  /** What it was asked for with: the same again gets the same answer. */
  readonly request: string
  /** Fingerprints under which it can be revoked. */
  readonly fingerprints: readonly string[]
  readonly until: number
  readonly answer: Json
}

/** Under an address: the lease that has it. */
export interface AddressRecord {
  readonly id: string
  readonly name: string
  readonly holder: string
  readonly until: number
}

/** Under a fingerprint: revoked until it would have ended anyway. */
export interface RevokedRecord {
  readonly fingerprint: string
  /** Whose it was: `segmentOf` its identity. */
  readonly holder: string
  readonly until: number
}

/** Under a holder: it gets nothing more. */
export interface BarredRecord {
  readonly holder: string
  readonly reason: string
}

/** A record as it is in the store, with the revision for the next change. */
export interface Held<T> {
  readonly record: T
  readonly revision: string
}

/** Records of one kind in the store, under `prefix`. */
export interface RecordKind<T> {
  readonly prefix: string
  parse(value: Json): T | undefined
}

const isText = (value: unknown): value is string => typeof value === 'string'
const isTime = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/** The fields, where these and no others are there. */
function fields(value: Json, names: readonly string[]): Record<string, Json> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const found = Object.keys(value)
  return found.length === names.length && names.every((name) => found.includes(name))
    ? (value as Record<string, Json>)
    : undefined
}

function parseIssued(value: Json): IssuedRecord | undefined {
  const found = fields(value, ['request', 'fingerprints', 'until', 'answer'])
  if (!found) return undefined
  const { request, fingerprints, until, answer } = found
  const isGood = isText(request) && Array.isArray(fingerprints) && fingerprints.every(isText) && isTime(until)
  return isGood ? { request, fingerprints: fingerprints as string[], until, answer: answer! } : undefined
}

export const nameRecords: RecordKind<NameRecord> = {
  prefix: 'name',
  parse(value) {
    const found = fields(value, ['id', 'name', 'holder', 'address', 'from', 'until', 'settled', 'issued'])
    if (!found) return undefined
    const { id, name, holder, address, from, until, settled } = found
    const issued = Array.isArray(found.issued) ? found.issued.map(parseIssued) : [undefined]
    if (!isText(id) || !isText(name) || !isText(holder) || !isText(address)) return undefined
    if (
      typeof settled !== 'boolean' ||
      !isTime(from) ||
      !isTime(until) ||
      !/^([0-9a-f]{8}|[0-9a-f]{32})$/.test(address)
    )
      return undefined
    if (!issued.every((entry) => entry !== undefined)) return undefined
    return { id, name, holder, address, from, until, settled, issued }
  },
}

export const addressRecords: RecordKind<AddressRecord> = {
  prefix: 'address',
  parse(value) {
    const found = fields(value, ['id', 'name', 'holder', 'until'])
    if (!found) return undefined
    const { id, name, holder, until } = found
    return isText(id) && isText(name) && isText(holder) && isTime(until)
      ? { id, name, holder, until }
      : undefined
  },
}

export const revokedRecords: RecordKind<RevokedRecord> = {
  prefix: 'revoked',
  parse(value) {
    const found = fields(value, ['fingerprint', 'holder', 'until'])
    if (!found) return undefined
    const { fingerprint, holder, until } = found
    return isText(fingerprint) && isText(holder) && isTime(until) ? { fingerprint, holder, until } : undefined
  },
}

export const barredRecords: RecordKind<BarredRecord> = {
  prefix: 'barred',
  parse(value) {
    const found = fields(value, ['holder', 'reason'])
    if (!found) return undefined
    const { holder, reason } = found
    return isText(holder) && isText(reason) ? { holder, reason } : undefined
  },
}

/** A name or holder as one segment of a key, whatever characters it has. */
export const segmentOf = (text: string): string =>
  createHash('sha256').update(text).digest('hex').slice(0, 40)

/** The records of one pool in a store, by compare-and-set. */
export class LeaseRecords {
  readonly #store: SecretStore
  readonly #prefix: string
  readonly #maxBytes: number

  /** @param prefix a path in the store that these records have for themselves */
  constructor(store: SecretStore, prefix: string, maxBytes: number) {
    this.#store = store
    this.#prefix = prefix
    this.#maxBytes = maxBytes
  }

  #key = (kind: RecordKind<unknown>, segment: string) => `${this.#prefix}/${kind.prefix}/${segment}`

  /** @throws LEASE_RECORD_INVALID */
  async read<T>(kind: RecordKind<T>, segment: string, signal?: AbortSignal): Promise<Held<T> | undefined> {
    const key = this.#key(kind, segment)
    const stored = await this.#store.read(key, signal)
    if (!stored) return undefined
    const record = this.#parse(kind, stored.value)
    if (!record) throw failure('LEASE_RECORD_INVALID', `${key} does not hold what belongs there`)
    return { record, revision: stored.revision }
  }

  #parse<T>(kind: RecordKind<T>, value: Uint8Array): T | undefined {
    if (value.length > this.#maxBytes) return undefined
    try {
      return kind.parse(parseJson(value, { maxBytes: this.#maxBytes }))
    } catch (error) {
      // The parser's message could tell of what is in the record.
      if (error instanceof SealiftError) return undefined
      throw error
    }
  }

  /**
   * Writes where nobody was faster; `null` removes.
   * @returns the revision of what is there now, or undefined where it was not written
   */
  async write<T>(
    kind: RecordKind<T>,
    segment: string,
    held: Held<T> | undefined,
    record: T | null,
    signal?: AbortSignal,
  ): Promise<string | undefined> {
    const value = record === null ? null : Buffer.from(canonicalJson(record as Json))
    if (value && value.length > this.#maxBytes) {
      throw failure('LEASE_REQUEST_INVALID', `more than ${this.#maxBytes} bytes belong to one lease`)
    }
    return await this.#store.compareAndSet(this.#key(kind, segment), held?.revision, value, signal)
  }

  /** Segments of one kind in byte order, page by page, after one of them where it is given. */
  async *segments<T>(kind: RecordKind<T>, pageKeys: number, behind?: string): AsyncGenerator<string> {
    const prefix = this.#key(kind, '')
    for (let after = behind === undefined ? undefined : prefix + behind; ; ) {
      const page = await this.#store.list(prefix, { limit: pageKeys, ...(after !== undefined && { after }) })
      for (const key of page) yield key.slice(prefix.length)
      after = page.at(-1)
      if (after === undefined || page.length < pageKeys) return
    }
  }
}
