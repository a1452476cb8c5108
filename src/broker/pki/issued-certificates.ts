import { isFailure, type PkiLimits } from '#base/index.ts'
import { revisionThere } from '../stores/index.ts'
import { failure } from './codes.ts'
import type { ExclusiveNames } from './exclusive-names.ts'
import { type HolderRecord, type IssuedRecord, keyNameOf, type Records, schemas } from './records.ts'
import type { RevocationReason, Revocations } from './revocations.ts'
import { Turns } from './turns.ts'

export interface IssuedTerms {
  readonly records: Records
  readonly names: ExclusiveNames
  readonly revocations: Revocations
  readonly limits: PkiLimits
}

/** What one identity asks for. */
export interface IssueRequest {
  readonly identity: string
  /** A digest of all that it asks for: the same again is answered the same until half of its time is over. */
  readonly request: string
  /** Names that are to be its own as long as the certificate lasts. */
  readonly exclusive: readonly string[]
}

const prefix = 'pki/issued/'
/** Keys stand in the order of their ends: what has ended is found without reading the rest. */
const keyOf = (notAfter: number, serial: string) =>
  `${prefix}${String(Math.floor(notAfter / 1000)).padStart(12, '0')}-${serial}`
const endOf = (key: string) => Number(key.slice(prefix.length, prefix.length + 12)) * 1000
const holderKey = (identity: string) => `pki/holders/${keyNameOf(identity)}`
/** Records are kept for so long after their end: what clocks of replicas may differ by. */
const graceMs = 60_000

const damaged: readonly string[] = ['PKI_STATE_INVALID', 'SECRET_SEAL_BROKEN', 'SECRET_DAMAGED']

/** Every certificate that was issued and has not ended: recorded before it is given out. */
export class IssuedCertificates {
  readonly #records: Records
  readonly #names: ExclusiveNames
  readonly #revocations: Revocations
  readonly #limits: PkiLimits
  readonly #turns = new Turns()
  #count = 0
  #countedAt = Number.NEGATIVE_INFINITY
  #sweptAt = Number.NEGATIVE_INFINITY

  constructor({ records, names, revocations, limits }: IssuedTerms) {
    this.#records = records
    this.#names = names
    this.#revocations = revocations
    this.#limits = limits
  }

  /** About how many have not ended. */
  get count(): number {
    return this.#count
  }

  /**
   * What the identity has for the same request and may use on, or what `make` makes, once it is recorded.
   *
   * @param counts whether one that was issued before may still be given out
   * @throws PKI_CALLER_REFUSED (barred), PKI_TOO_MANY, PKI_NAME_TAKEN, PKI_BUSY, whatever `make` throws
   */
  async issue(
    request: IssueRequest,
    at: Date,
    make: () => Promise<IssuedRecord>,
    counts: (record: IssuedRecord) => boolean,
    signal?: AbortSignal,
  ): Promise<IssuedRecord> {
    return await this.#turns.take(request.identity, signal, () =>
      this.#issue(request, at, make, counts, signal),
    )
  }

  async #issue(
    { identity, request, exclusive }: IssueRequest,
    at: Date,
    make: () => Promise<IssuedRecord>,
    counts: (record: IssuedRecord) => boolean,
    signal?: AbortSignal,
  ): Promise<IssuedRecord> {
    const key = holderKey(identity)
    const now = at.getTime()
    let made: IssuedRecord | undefined
    let given: IssuedRecord | undefined
    try {
      given = await this.#records.untilDone(key, signal, async () => {
        const held = await this.#records.read(schemas.holder, key, signal)
        if (held?.record.barred) throw failure('PKI_CALLER_REFUSED', 'the identity was revoked by an admin')
        const live = (held?.record.live ?? []).filter(({ until }) => until + graceMs > now)
        for (const entry of live.filter((one) => one.request === request && now < one.renew)) {
          const before = await this.read(entry.serial, entry.until, signal)
          if (before && counts(before)) return { done: before }
        }
        if (live.length >= this.#limits.certificatesOfOne) {
          throw failure('PKI_TOO_MANY', `${live.length} certificates of this identity have not ended`)
        }
        made ??= await this.#prepare(make, exclusive, at, signal)
        const { serial, notBefore, notAfter } = made
        const renew = notBefore + Math.floor((notAfter - notBefore) / 2)
        const next = {
          identity,
          barred: false,
          live: [...live, { serial, request, renew, until: notAfter }],
        }
        const isWritten = (await this.#records.write(key, held, next, signal)) !== undefined
        return isWritten ? { done: made } : undefined
      })
    } finally {
      // Not given out, as another was faster with the same, or something failed: nothing of it stays.
      if (made && given !== made) await this.#discard(made, at)
    }
    if (given === made) this.#count++
    return given
  }

  /** Recorded, with its names, but nobody's yet. */
  async #prepare(
    make: () => Promise<IssuedRecord>,
    exclusive: readonly string[],
    at: Date,
    signal?: AbortSignal,
  ): Promise<IssuedRecord> {
    await this.#refuseTooMany(at, signal)
    const made = await make()
    const { identity, serial, notAfter } = made
    // Before the names: what dies in between is swept with its record.
    const isNew = await this.#records.write(keyOf(notAfter, serial), undefined, made, signal)
    // 126 random bits: whoever has met the same before has no good random source.
    if (isNew === undefined) throw failure('PKI_BUSY', `the serial number ${serial} is there already`)
    try {
      await this.#names.claim(exclusive, { identity, serial, until: notAfter }, at, signal)
    } catch (error) {
      await this.#discard(made, at)
      throw error
    }
    return made
  }

  async #discard({ serial, notAfter, dns }: IssuedRecord, at: Date): Promise<void> {
    await this.#names.release(dns, serial, at)
    await this.#records.change(schemas.issued, keyOf(notAfter, serial), () => null)
  }

  /** The record of a certificate, by its serial and its end (milliseconds since 1970). @throws PKI_STATE_INVALID */
  async read(serial: string, notAfter: number, signal?: AbortSignal): Promise<IssuedRecord | undefined> {
    if (!isSerial(serial)) return undefined
    return (await this.#records.read(schemas.issued, keyOf(notAfter, serial), signal))?.record
  }

  /** By its serial alone, which takes a look at all of their keys. @throws PKI_NOT_FOUND */
  async find(serial: string, signal?: AbortSignal): Promise<IssuedRecord> {
    if (isSerial(serial)) {
      for await (const key of this.#keys(undefined, signal)) {
        if (!key.endsWith(`-${serial}`)) continue
        const held = await this.#records.read(schemas.issued, key, signal)
        if (held) return held.record
      }
    }
    throw failure('PKI_NOT_FOUND', 'there is no certificate with this serial number that has not ended')
  }

  /** A page of the records in the order of their ends, and where the next page begins. */
  async page(
    { after, limit }: { readonly after?: string; readonly limit: number },
    signal?: AbortSignal,
  ): Promise<{ records: IssuedRecord[]; next?: string }> {
    const keys = await this.#records.store.list(prefix, { limit, ...(after && { after: prefix + after }) })
    const records: IssuedRecord[] = []
    for (const key of keys) {
      const held = await this.#records.read(schemas.issued, key, signal)
      if (held) records.push(held.record)
    }
    const last = keys.at(-1)
    return { records, ...(last && keys.length === limit && { next: last.slice(prefix.length) }) }
  }

  /** Those of one identity, and whether it is barred. */
  async of(
    identity: string,
    at: Date,
    signal?: AbortSignal,
  ): Promise<{ records: IssuedRecord[]; barred: boolean }> {
    const held = await this.#records.read(schemas.holder, holderKey(identity), signal)
    const records: IssuedRecord[] = []
    for (const { serial, until } of held?.record.live ?? []) {
      const record = until > at.getTime() ? await this.read(serial, until, signal) : undefined
      if (record) records.push(record)
    }
    return { records, barred: held?.record.barred ?? false }
  }

  /** Puts it on the list of its issuer, and gives its names back. @throws PKI_TOO_MANY, PKI_BUSY */
  async revoke(
    record: IssuedRecord,
    reason: RevocationReason,
    at: Date,
    signal?: AbortSignal,
  ): Promise<void> {
    const { issuer, serial, notAfter, identity, dns } = record
    await this.#revocations.add(issuer, { serial, until: notAfter }, reason, at, signal)
    await this.#drop(identity, serial, at, signal)
    await this.#names.release(dns, serial, at, signal)
  }

  /** Revokes all that an identity has; it gets no more until it is reinstated. @returns their serials */
  async revokeIdentity(
    identity: string,
    reason: RevocationReason,
    at: Date,
    signal?: AbortSignal,
  ): Promise<string[]> {
    // Barred first: whoever is issuing meanwhile is overtaken by that, or is seen below.
    await this.#records.change(
      schemas.holder,
      holderKey(identity),
      (record): HolderRecord => ({ identity, live: record?.live ?? [], barred: true }),
      signal,
    )
    const { records } = await this.of(identity, at, signal)
    for (const record of records) await this.revoke(record, reason, at, signal)
    return records.map(({ serial }) => serial)
  }

  /** @throws PKI_NOT_FOUND where it is not barred */
  async reinstate(identity: string, signal?: AbortSignal): Promise<void> {
    await this.#records.change(
      schemas.holder,
      holderKey(identity),
      (record) => {
        if (!record?.barred) throw failure('PKI_NOT_FOUND', 'no such identity was revoked')
        return record.live.length > 0 ? { ...record, barred: false } : null
      },
      signal,
    )
  }

  /** Removes records that have ended, some at a time. @returns how many */
  async sweep(at: Date, signal?: AbortSignal): Promise<number> {
    const keys = await this.#records.store.list(prefix, { limit: this.#limits.swept })
    let removed = 0
    for (const key of keys) {
      if (endOf(key) + graceMs > at.getTime()) break
      if (await this.#remove(key, at, signal)) removed++
    }
    this.#count = Math.max(0, this.#count - removed)
    return removed
  }

  async #remove(key: string, at: Date, signal?: AbortSignal): Promise<boolean> {
    const { store } = this.#records
    let revision: string | undefined
    try {
      const held = await this.#records.read(schemas.issued, key, signal)
      if (!held) return false
      const { identity, serial, dns } = held.record
      await this.#drop(identity, serial, at, signal)
      await this.#names.release(dns, serial, at, signal)
      revision = held.revision
    } catch (error) {
      // A damaged record that has ended must not stand in the way of all others.
      if (!isFailure(error) || !damaged.includes(error.code)) throw error
      revision = await revisionThere(store, key, signal)
    }
    return revision !== undefined && (await store.compareAndSet(key, revision, null, signal)) !== undefined
  }

  /** As `sweep`, where it was not done for a while. */
  async sweepNow(at: Date, signal?: AbortSignal): Promise<void> {
    if (Math.abs(at.getTime() - this.#sweptAt) < this.#limits.sweepMs) return
    this.#sweptAt = at.getTime()
    // What cannot be removed now is no reason to refuse what was issued.
    const removed = await this.sweep(at, signal).catch(() => 0)
    // There may be more: the next one who comes goes on.
    if (removed === this.#limits.swept) this.#sweptAt = Number.NEGATIVE_INFINITY
  }

  async #drop(identity: string, serial: string, at: Date, signal?: AbortSignal): Promise<void> {
    await this.#records.change(
      schemas.holder,
      holderKey(identity),
      (record) => {
        if (!record) return undefined
        const live = record.live.filter((one) => one.serial !== serial && one.until + graceMs > at.getTime())
        return live.length > 0 || record.barred ? { ...record, live } : null
      },
      signal,
    )
  }

  async #refuseTooMany(at: Date, signal?: AbortSignal): Promise<void> {
    if (Math.abs(at.getTime() - this.#countedAt) >= this.#limits.countMs) {
      this.#countedAt = at.getTime()
      let count = 0
      for await (const _ of this.#keys(keyOf(at.getTime(), ''), signal)) count++
      this.#count = count
    }
    if (this.#count >= this.#limits.certificates) {
      throw failure('PKI_TOO_MANY', `${this.#count} certificates have not ended`)
    }
  }

  async *#keys(from: string | undefined, signal?: AbortSignal): AsyncGenerator<string> {
    const limit = this.#limits.pageKeys
    for (let after = from; ; ) {
      signal?.throwIfAborted()
      const page = await this.#records.store.list(prefix, { limit, ...(after && { after }) })
      yield* page
      after = page.at(-1)
      if (after === undefined || page.length < limit) return
    }
  }
}

const isSerial = (text: string): boolean => /^[0-9a-f]{32}$/.test(text)
