import type { LeaseLimits } from '#base/index.ts'
import { Remembered } from '../remembered.ts'
import { failure } from './codes.ts'
import { type LeaseRecords, type RevokedRecord, revokedRecords, segmentOf } from './lease-records.ts'

const readsAtOnce = 32

/** Fingerprints of what was revoked and would otherwise still be good. */
export class RevocationList {
  readonly #records: LeaseRecords
  readonly #limits: LeaseLimits
  readonly #all: Remembered<readonly RevokedRecord[]>

  /** @param refreshMs for so long the list may be told again; what this process adds is in it at once */
  constructor(records: LeaseRecords, limits: LeaseLimits, refreshMs = 0) {
    this.#records = records
    this.#limits = limits
    this.#all = new Remembered(() => this.#read(), refreshMs)
  }

  /**
   * @param fingerprint lower-case hex
   * @param holder whose it was
   * @param until when it would have ended, in milliseconds since 1970; what ended needs no entry
   * @throws LEASE_REQUEST_INVALID, LEASE_BUSY
   */
  async add(
    fingerprint: string,
    holder: string,
    until: number,
    at: Date,
    signal?: AbortSignal,
  ): Promise<void> {
    if (!/^[0-9a-f]{64}$/.test(fingerprint)) {
      throw failure('LEASE_REQUEST_INVALID', 'a fingerprint has 64 lower-case hex digits')
    }
    if (until <= at.getTime()) return
    for (let i = 0; i < this.#limits.attempts; i++) {
      signal?.throwIfAborted()
      const held = await this.#records.read(revokedRecords, fingerprint, signal)
      if (held && held.record.until >= until) return
      const record = { fingerprint, holder: segmentOf(holder), until }
      if ((await this.#records.write(revokedRecords, fingerprint, held, record, signal)) === undefined)
        continue
      this.#all.amend((all) => [...all.filter((one) => one.fingerprint !== fingerprint), record])
      return
    }
    throw failure('LEASE_BUSY', 'others kept changing the revocation list')
  }

  /**
   * Those that count now, in byte order.
   * @throws LEASE_BUSY where there are more than the limit: a part of the list must not pass for all of it
   */
  async fingerprints(at: Date): Promise<string[]> {
    const found = (await this.#all.get()).filter(({ until }) => until > at.getTime())
    if (found.length > this.#limits.revoked) throw this.#tooMany()
    return found.map(({ fingerprint }) => fingerprint).sort()
  }

  /** How many of them count now that were this holder's. */
  async countOf(holder: string, at: Date): Promise<number> {
    const segment = segmentOf(holder)
    const all = await this.#all.get()
    return all.filter((record) => record.holder === segment && record.until > at.getTime()).length
  }

  /** All of them. What has ended is among them until it is swept, and may be as much again. */
  async #read(): Promise<readonly RevokedRecord[]> {
    const { pageKeys, revoked } = this.#limits
    const segments: string[] = []
    for await (const segment of this.#records.segments(revokedRecords, pageKeys)) {
      segments.push(segment)
      if (segments.length > 2 * revoked) throw this.#tooMany()
    }
    const found: RevokedRecord[] = []
    for (let i = 0; i < segments.length; i += readsAtOnce) {
      const some = segments.slice(i, i + readsAtOnce)
      const held = await Promise.all(some.map((segment) => this.#records.read(revokedRecords, segment)))
      found.push(...held.flatMap((one) => one?.record ?? []))
    }
    return found
  }

  #tooMany = () =>
    failure('LEASE_BUSY', `more than ${this.#limits.revoked} certificates are revoked`, {
      hint: 'Begin anew with another authority, and stop trusting this one.',
    })

  /** Removes what has ended. @returns how many entries */
  async sweep(at: Date, signal?: AbortSignal): Promise<number> {
    let removed = 0
    for await (const segment of this.#records.segments(revokedRecords, this.#limits.pageKeys)) {
      const held = await this.#records.read(revokedRecords, segment, signal)
      if (!held || held.record.until > at.getTime()) continue
      const done = await this.#records.write(revokedRecords, segment, held, null, signal)
      if (done !== undefined) removed++
    }
    return removed
  }
}
