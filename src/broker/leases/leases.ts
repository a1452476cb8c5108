import { randomBytes } from 'node:crypto'
import { type LeaseLimits, leaseLimits } from '#base/index.ts'
import type { SecretStore } from '../types.ts'
import { failure } from './codes.ts'
import { isHostName } from './host-name.ts'
import {
  type AddressRecord,
  addressRecords,
  type BarredRecord,
  barredRecords,
  type Held,
  type IssuedRecord,
  LeaseRecords,
  type NameRecord,
  nameRecords,
  segmentOf,
} from './lease-records.ts'
import { addressBits, formatAddress, type Network } from './network.ts'
import type { AddressPool } from './pool.ts'
import { RevocationList } from './revocation-list.ts'

export interface LeasesTerms {
  readonly store: SecretStore
  /** A path in the store that the leases of this pool have for themselves. */
  readonly prefix: string
  readonly pool: AddressPool
  /** For so long after its end a lease is not given to another: what clocks of replicas may differ by. */
  readonly graceMs?: number
  /** For so long a list of what was revoked may be told again without a look at the store: default 0. */
  readonly refreshMs?: number
  readonly random?: (bytes: number) => Uint8Array
  readonly limits?: LeaseLimits
}

export interface LeaseRequest {
  /** Who asks, by what does not change from one attestation to the next. Compared byte by byte. */
  readonly holder: string
  /** Compared without case. */
  readonly name: string
  /** One of the pool; where it is not said, a free one. */
  readonly address?: bigint
  readonly durationMs: number
}

/** A name and an address that nobody else has before `until`. */
export interface Lease {
  readonly id: string
  readonly name: string
  readonly holder: string
  /** The address, with the pool's prefix length. */
  readonly network: Network
  readonly from: Date
  readonly until: Date
}

/**
 * Leases of names with addresses, over compare-and-set of single keys, by any number of replicas.
 *
 * The record under a name is the lease; the record under an address points to it by the lease's id, and counts only
 * while that lease is there. A claim writes the name, then the address, then the name again as settled: only then is it
 * granted. Whoever finds a pointer whose lease is gone may take the address, and whoever was overtaken sees that by the
 * revision of the pointer or of the name. So a crash between any two steps leaves nothing but a name that its own
 * holder gets back.
 */
export class Leases {
  readonly pool: AddressPool
  readonly revocations: RevocationList
  readonly #records: LeaseRecords
  readonly #graceMs: number
  readonly #random: (bytes: number) => Uint8Array
  readonly #limits: LeaseLimits

  constructor(terms: LeasesTerms) {
    this.pool = terms.pool
    this.#limits = terms.limits ?? leaseLimits
    this.#graceMs = terms.graceMs ?? 10_000
    this.#random = terms.random ?? randomBytes
    this.#records = new LeaseRecords(
      terms.store,
      `${terms.prefix}/${terms.pool.name}`,
      this.#limits.recordBytes,
    )
    this.revocations = new RevocationList(this.#records, this.#limits, terms.refreshMs)
  }

  /**
   * The holder's lease of this name: a new one, the one that it has, or (once less than half of the time that it asks
   * for is left) the one that it has, made longer. The same question twice is the same lease.
   *
   * @throws LEASE_REQUEST_INVALID, LEASE_NAME_TAKEN, LEASE_ADDRESS_TAKEN, LEASE_ADDRESS_DIFFERS,
   *   LEASE_POOL_EXHAUSTED, LEASE_HOLDER_REVOKED, LEASE_BUSY, LEASE_RECORD_INVALID
   */
  async claim(request: LeaseRequest, at: Date, signal?: AbortSignal): Promise<Lease> {
    this.#check(request)
    await this.#refuseBarred(request.holder, signal)
    return await this.#untilSettled(request.name, signal, () => this.#tryClaim(request, at.getTime(), signal))
  }

  /**
   * What was issued under this lease for the same request and is good for a while yet (`isFresh`), or what `make` makes
   * now, remembered with the lease so that it can be revoked. Nothing that is not remembered is given out.
   *
   * @throws LEASE_NOT_FOUND where the lease ended meanwhile, LEASE_REQUEST_INVALID where too much was issued under it
   */
  async issue(
    lease: Lease,
    request: string,
    at: Date,
    make: () => Promise<Omit<IssuedRecord, 'request'>>,
    isFresh: (issued: IssuedRecord) => boolean,
    signal?: AbortSignal,
  ): Promise<IssuedRecord> {
    let made: IssuedRecord | undefined
    return await this.#untilSettled(lease.name, signal, async () => {
      const held = await this.#readName(lease.name, signal)
      if (held?.record.id !== lease.id) throw notFound(lease.name)
      const lasting = held.record.issued.filter(({ until }) => until > at.getTime())
      const same = lasting.find((issued) => issued.request === request && isFresh(issued))
      if (same) return same
      if (lasting.length >= this.#limits.issued) {
        throw failure(
          'LEASE_REQUEST_INVALID',
          `${lasting.length} credentials of ${JSON.stringify(lease.name)} are still good`,
          { hint: 'Use one of them, or release the lease.' },
        )
      }
      made ??= { ...(await make()), request }
      const record = { ...held.record, issued: [...lasting, made] }
      return (await this.#writeName(held, record, signal)) === undefined ? undefined : made
    })
  }

  /**
   * Ends a lease before its time; what was issued under it is revoked.
   * @throws LEASE_NOT_FOUND, LEASE_BUSY; also where the holder has made the list of what is revoked long already: that
   *   list is for all, and no holder may fill it
   */
  async release(holder: string, name: string, at: Date, signal?: AbortSignal): Promise<void> {
    const held = await this.#readName(name, signal)
    if (held?.record.holder !== holder) throw notFound(name)
    if ((await this.revocations.countOf(holder, at)) >= this.#limits.releasedByHolder) {
      throw failure('LEASE_BUSY', 'the holder released too many leases before their time', {
        hint: 'Wait until some of what was revoked has ended, or ask for shorter leases.',
      })
    }
    await this.#end(name, held.record.id, at, signal)
  }

  /** Gives a lease back under which nothing was issued, if it is still so: what was asked for could not be made. */
  async abandon({ id, name }: Lease, signal?: AbortSignal): Promise<void> {
    const held = await this.#readName(name, signal)
    // Whoever changed it meanwhile has a use for it.
    if (held?.record.id === id && held.record.issued.length === 0) await this.#remove(held, signal)
  }

  /** Ends whoever's lease of this name. @throws LEASE_NOT_FOUND, LEASE_BUSY */
  async revokeName(name: string, at: Date, signal?: AbortSignal): Promise<void> {
    const held = await this.#readName(name, signal)
    if (!held) throw notFound(name)
    await this.#end(name, held.record.id, at, signal)
  }

  /** The holder gets no more leases, and loses those it has. @returns the names that it lost */
  async revokeHolder(holder: string, reason: string, at: Date, signal?: AbortSignal): Promise<string[]> {
    const segment = segmentOf(holder)
    await this.#untilSettled(holder, signal, async () => {
      const held = await this.#records.read(barredRecords, segment, signal)
      return await this.#records.write(barredRecords, segment, held, { holder, reason }, signal)
    })
    const names: string[] = []
    for await (const { record } of this.#names(signal)) {
      if (record.holder !== holder) continue
      await this.#end(record.name, record.id, at, signal)
      names.push(record.name)
    }
    return names
  }

  /** Takes the revocation of a holder back; what was revoked of it stays so. */
  async reinstateHolder(holder: string, signal?: AbortSignal): Promise<void> {
    await this.#untilSettled(holder, signal, async () => {
      const held = await this.#records.read(barredRecords, segmentOf(holder), signal)
      if (!held) return true
      const done = await this.#records.write(barredRecords, segmentOf(holder), held, null, signal)
      return done !== undefined
    })
  }

  /** Holders that were revoked, and why. */
  async *barred(signal?: AbortSignal): AsyncGenerator<BarredRecord> {
    for await (const segment of this.#records.segments(barredRecords, this.#limits.pageKeys)) {
      signal?.throwIfAborted()
      const held = await this.#records.read(barredRecords, segment, signal)
      if (held) yield held.record
    }
  }

  /**
   * The leases that are running, in an order that means nothing and stays the same; after that of a name, where one is
   * given, whether it is there or not.
   */
  async *running(at: Date, after?: string, signal?: AbortSignal): AsyncGenerator<Lease> {
    for await (const { record } of this.#names(signal, after)) {
      if (record.until > at.getTime() && record.settled) yield this.#leaseOf(record)
    }
  }

  /** Removes what has ended from the store: names, addresses and entries of the revocation list. @returns how many */
  async sweep(at: Date, signal?: AbortSignal): Promise<number> {
    let removed = await this.revocations.sweep(at, signal)
    for await (const held of this.#names(signal)) {
      if (!this.#isOver(held.record, at.getTime())) continue
      if ((await this.#writeName(held, null, signal)) !== undefined) removed++
    }
    for await (const segment of this.#records.segments(addressRecords, this.#limits.pageKeys)) {
      const held = await this.#records.read(addressRecords, segment, signal)
      if (!held || (await this.#leaseBehind(held.record, signal))) continue
      const done = await this.#records.write(addressRecords, segment, held, null, signal)
      if (done !== undefined) removed++
    }
    return removed
  }

  async #tryClaim(request: LeaseRequest, at: number, signal?: AbortSignal): Promise<Lease | undefined> {
    const { holder, name, address, durationMs } = request
    const held = await this.#readName(name, signal)
    const running = held && !this.#isOver(held.record, at) ? held.record : undefined
    if (running && running.holder !== holder) {
      throw failure('LEASE_NAME_TAKEN', `${JSON.stringify(name)} belongs to another holder`)
    }
    // An address that the pool no longer gives is not given for longer: its holder gets another.
    const isOurs = running && this.pool.has(BigInt(`0x${running.address}`))
    if (held && isOurs && (await this.#isBacked(running, signal))) {
      if (address !== undefined && this.#segment(address) !== running.address) {
        throw failure('LEASE_ADDRESS_DIFFERS', `${JSON.stringify(name)} has another address`)
      }
      const isLong = running.until - at >= durationMs / 2
      if (isLong && running.settled) return this.#leaseOf(running)
      const until = isLong ? running.until : Math.max(running.until, at + durationMs)
      return await this.#settle(held, { ...running, until, settled: false }, at, signal)
    }
    const free = await this.#freeAddress(request, at, signal)
    if (free === undefined) {
      // A claim of ours that was overtaken half-way holds no name.
      if (running && held) await this.#writeName(held, null, signal)
      if (address === undefined) {
        throw failure('LEASE_POOL_EXHAUSTED', `no free address was found in the pool ${this.pool.name}`)
      }
      const text = formatAddress({ family: this.pool.range.family, address })
      throw failure('LEASE_ADDRESS_TAKEN', `${text} belongs to another`)
    }
    const record: NameRecord = {
      id: Buffer.from(this.#random(16)).toString('hex'),
      name,
      holder,
      address: free,
      from: at,
      until: at + durationMs,
      settled: false,
      issued: running?.issued.filter(({ until }) => until > at) ?? [],
    }
    return await this.#settle(held, record, at, signal)
  }

  /** Name, address, and the name again. @returns undefined where somebody was faster */
  async #settle(
    held: Held<NameRecord> | undefined,
    record: NameRecord,
    at: number,
    signal?: AbortSignal,
  ): Promise<Lease | undefined> {
    const { id, name, holder, address, until } = record
    const pointer = await this.#records.read(addressRecords, address, signal)
    const other = pointer && (await this.#leaseBehind(pointer.record, signal))
    if (other && other.id !== id && !this.#isOver(other, at)) return undefined
    const revision = await this.#writeName(held, record, signal)
    if (revision === undefined) return undefined
    const next: AddressRecord = { id, name, holder, until }
    // Written even where it only gets another revision: whoever saw the lease end is overtaken by that.
    if ((await this.#records.write(addressRecords, address, pointer, next, signal)) === undefined)
      return undefined
    const settled = { ...record, settled: true }
    if ((await this.#writeName({ record, revision }, settled, signal)) === undefined) return undefined
    try {
      // A revocation bars the holder first and looks for its leases then: one of the two sees the other.
      await this.#refuseBarred(holder, signal)
    } catch (error) {
      await this.#end(name, id, new Date(at), signal)
      throw error
    }
    return this.#leaseOf(settled)
  }

  async #freeAddress(request: LeaseRequest, at: number, signal?: AbortSignal): Promise<string | undefined> {
    const { address, name } = request
    const candidates =
      address === undefined
        ? this.pool.candidates(name.toLowerCase(), this.#limits.candidates)
        : [address].values()
    for (const candidate of candidates) {
      const segment = this.#segment(candidate)
      const pointer = await this.#records.read(addressRecords, segment, signal)
      const lease = pointer && (await this.#leaseBehind(pointer.record, signal))
      if (!lease || this.#isOver(lease, at)) return segment
    }
    return undefined
  }

  /** Ends the lease with this id, if it is still there: revokes what was issued, then gives name and address back. */
  async #end(name: string, id: string, at: Date, signal?: AbortSignal): Promise<void> {
    await this.#untilSettled(name, signal, async () => {
      const held = await this.#readName(name, signal)
      if (held?.record.id !== id) return true
      const { holder, issued } = held.record
      for (const { fingerprints, until } of issued) {
        for (const fingerprint of fingerprints)
          await this.revocations.add(fingerprint, holder, until, at, signal)
      }
      return await this.#remove(held, signal)
    })
  }

  /** Name, then address. @returns whether the name was still as it was read */
  async #remove(held: Held<NameRecord>, signal?: AbortSignal): Promise<boolean> {
    const { id, address } = held.record
    if ((await this.#writeName(held, null, signal)) === undefined) return false
    const pointer = await this.#records.read(addressRecords, address, signal)
    // Where this fails another has the address already: the pointer counts for nothing without its lease.
    if (pointer?.record.id === id) await this.#records.write(addressRecords, address, pointer, null, signal)
    return true
  }

  async #untilSettled<T>(
    name: string,
    signal: AbortSignal | undefined,
    attempt: () => Promise<T | undefined | false>,
  ): Promise<T> {
    for (let i = 0; i < this.#limits.attempts; i++) {
      signal?.throwIfAborted()
      const result = await attempt()
      if (result !== undefined && result !== false) return result
    }
    throw failure('LEASE_BUSY', `others kept changing ${JSON.stringify(name)}`)
  }

  async *#names(signal?: AbortSignal, after?: string): AsyncGenerator<Held<NameRecord>> {
    const behind = after === undefined ? undefined : segmentOf(after.toLowerCase())
    for await (const segment of this.#records.segments(nameRecords, this.#limits.pageKeys, behind)) {
      signal?.throwIfAborted()
      const held = await this.#records.read(nameRecords, segment, signal)
      if (held) yield held
    }
  }

  #check({ holder, name, address, durationMs }: LeaseRequest): void {
    const { nameLength, holderLength, leaseMs } = this.#limits
    const reason = !isHostName(name, nameLength)
      ? 'the name is none that a host can have'
      : holder.length === 0 || holder.length > holderLength || !holder.isWellFormed()
        ? 'the holder has no identity that can be used'
        : !Number.isSafeInteger(durationMs) || durationMs < 1000 || durationMs > leaseMs
          ? `a lease is for 1 s to ${leaseMs / 1000} s`
          : address !== undefined && !this.pool.has(address)
            ? 'the address is none that the pool gives'
            : undefined
    if (reason !== undefined) throw failure('LEASE_REQUEST_INVALID', reason)
  }

  async #refuseBarred(holder: string, signal?: AbortSignal): Promise<void> {
    if (!(await this.#records.read(barredRecords, segmentOf(holder), signal))) return
    throw failure('LEASE_HOLDER_REVOKED', 'the holder was revoked')
  }

  #readName = (name: string, signal?: AbortSignal) =>
    this.#records.read(nameRecords, segmentOf(name.toLowerCase()), signal)

  #writeName = (held: Held<NameRecord> | undefined, record: NameRecord | null, signal?: AbortSignal) => {
    const name = record?.name ?? held?.record.name ?? ''
    return this.#records.write(nameRecords, segmentOf(name.toLowerCase()), held, record, signal)
  }

  #isOver = ({ until }: NameRecord, at: number) => until + this.#graceMs <= at

  /** The lease that a pointer points to, if it is there. */
  async #leaseBehind({ id, name }: AddressRecord, signal?: AbortSignal): Promise<NameRecord | undefined> {
    const held = await this.#readName(name, signal)
    return held?.record.id === id ? held.record : undefined
  }

  async #isBacked({ id, address }: NameRecord, signal?: AbortSignal): Promise<boolean> {
    return (await this.#records.read(addressRecords, address, signal))?.record.id === id
  }

  #segment = (address: bigint) => address.toString(16).padStart(addressBits(this.pool.range.family) / 4, '0')

  #leaseOf({ id, name, holder, address, from, until }: NameRecord): Lease {
    const family = address.length === 8 ? 4 : 6
    const network: Network = { family, bits: this.pool.range.bits, address: BigInt(`0x${address}`) }
    return { id, name, holder, network, from: new Date(from), until: new Date(until) }
  }
}

const notFound = (name: string) => failure('LEASE_NOT_FOUND', `no such lease: ${JSON.stringify(name)}`)
