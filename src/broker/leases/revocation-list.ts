import type { LeaseLimits } from '#base/index.ts'
import { failure } from './codes.ts'
import { type LeaseRecords, revokedRecords } from './lease-records.ts'

/** Fingerprints of what was revoked and would otherwise still be good. */
export class RevocationList {
  readonly #records: LeaseRecords
  readonly #limits: LeaseLimits

  constructor(records: LeaseRecords, limits: LeaseLimits) {
    this.#records = records
    this.#limits = limits
  }

  /**
   * @param fingerprint lower-case hex
   * @param until when it would have ended, in milliseconds since 1970; what ended needs no entry
   * @throws LEASE_REQUEST_INVALID, LEASE_BUSY
   */
  async add(fingerprint: string, until: number, at: Date, signal?: AbortSignal): Promise<void> {
    if (!/^[0-9a-f]{64}$/.test(fingerprint)) {
      throw failure('LEASE_REQUEST_INVALID', 'a fingerprint has 64 lower-case hex digits')
    }
    if (until <= at.getTime()) return
    for (let i = 0; i < this.#limits.attempts; i++) {
      signal?.throwIfAborted()
      const held = await this.#records.read(revokedRecords, fingerprint, signal)
      if (held && held.record.until >= until) return
      const record = { fingerprint, until }
      if ((await this.#records.write(revokedRecords, fingerprint, held, record, signal)) !== undefined) return
    }
    throw failure('LEASE_BUSY', 'others kept changing the revocation list')
  }

  /**
   * Those that count now, in byte order.
   * @throws LEASE_BUSY where there are more than the limit: a part of the list must not pass for all of it
   */
  async fingerprints(at: Date, signal?: AbortSignal): Promise<string[]> {
    const found: string[] = []
    for await (const segment of this.#records.segments(revokedRecords, this.#limits.pageKeys)) {
      const held = await this.#records.read(revokedRecords, segment, signal)
      if (!held || held.record.until <= at.getTime()) continue
      if (found.length === this.#limits.revoked) {
        throw failure('LEASE_BUSY', `more than ${this.#limits.revoked} certificates are revoked`, {
          hint: 'Begin anew with another authority, and stop trusting this one.',
        })
      }
      found.push(held.record.fingerprint)
    }
    return found
  }

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
