import type { PkiLimits } from '#base/index.ts'
import { formatPem } from '#keys/index.ts'
import {
  type AuthorityPlan,
  crossCertificate,
  makeIntermediate,
  makeRoot,
  type OpenAuthority,
  pkcs8Of,
  reopen,
} from './authority-certificates.ts'
import { failure } from './codes.ts'
import { type AuthoritiesRecord, type Held, type Records, schemas } from './records.ts'

/** An authority that counts now. */
export interface TrustedAuthority extends OpenAuthority {
  /** Until when it is trusted: its own end or, where another one issues, that of the last that it issued. */
  readonly until: Date
}

export interface TrustedIntermediate extends TrustedAuthority {
  /** Id of the root that signed it. */
  readonly root: string
  /** PEM of it and of what leads to older roots that are still trusted. */
  readonly chain: string
}

/** The authorities at one moment, newest first: the first intermediate issues. */
export interface AuthoritySet {
  readonly sequence: number
  readonly roots: readonly TrustedAuthority[]
  readonly intermediates: readonly [TrustedIntermediate, ...TrustedIntermediate[]]
}

export interface Rotation {
  /** A new root too, with which the old one is trusted for a while. */
  readonly root?: boolean
  /** The old intermediate counts no more, nor what it issued: for keys that others may have. */
  readonly distrust?: boolean
}

/** What a rotation did with the others. */
export interface Rotated {
  /** Which one issued before. */
  readonly retired: TrustedIntermediate
  /** Ids of those of which nothing counts any more. */
  readonly dropped: readonly string[]
}

const key = 'pki/authorities'
/** Whoever has read the old root's bundle gets the new one within this. */
const crossMs = 7 * 86_400_000
/** What clocks of replicas may differ by. */
const clockMs = 60_000

interface Opened {
  readonly held: Held<AuthoritiesRecord>
  readonly roots: readonly TrustedAuthority[]
  readonly intermediates: readonly TrustedIntermediate[]
}

/** Roots and intermediates in the state: made by whoever comes first, rotated, and opened once for each change. */
export class Authorities {
  readonly #records: Records
  readonly #plan: AuthorityPlan
  readonly #longestMs: number
  readonly #refreshMs: number
  readonly #limits: PkiLimits
  #opened: Opened | undefined
  #readAt = Number.NEGATIVE_INFINITY
  #reading: Promise<Opened> | undefined
  #written = 0

  /** @param longestMs the longest life of a certificate that this process gives */
  constructor(
    records: Records,
    plan: AuthorityPlan,
    longestMs: number,
    refreshMs: number,
    limits: PkiLimits,
  ) {
    this.#records = records
    this.#plan = plan
    this.#longestMs = longestMs
    this.#refreshMs = refreshMs
    this.#limits = limits
  }

  /**
   * Those that count at this moment. Makes the first ones, and others in time before the newest end.
   * @throws PKI_BUSY, PKI_STATE_INVALID
   */
  async at(at: Date, signal?: AbortSignal): Promise<AuthoritySet> {
    // Either way: a clock that was set back must not keep what was read for long.
    const isFresh = Math.abs(at.getTime() - this.#readAt) < this.#refreshMs
    const opened = (isFresh && this.#opened) || (await this.#readOnce(at))
    const isDue = this.#due(opened, at) !== undefined
    return trustedOf(isDue ? await this.#maintain(at, signal) : opened, at)
  }

  /** Another intermediate issues from now on. @throws PKI_TOO_MANY, PKI_BUSY, PKI_STATE_INVALID */
  async rotate(rotation: Rotation, at: Date, signal?: AbortSignal): Promise<Rotated> {
    return await this.#records.untilDone(key, signal, async () => {
      const before = await this.#read(at, signal)
      const next = await this.#rotated(before, rotation, at)
      const isWritten = await this.#write(before.held, next, at)
      return isWritten && { done: { retired: before.intermediates[0]!, dropped: missing(before, next) } }
    })
  }

  /** What is due: a rotation before the end, a longer life than the others knew of. */
  async #maintain(at: Date, signal?: AbortSignal): Promise<Opened> {
    return await this.#records.untilDone(key, signal, async () => {
      const now = await this.#read(at, signal)
      const due = this.#due(now, at)
      if (!due) return { done: now }
      if (due === 'life') return await this.#write(now.held, now.held.record, at)
      // What issues now goes on for a while: there is no hurry.
      if (this.#isFull(now, at)) return { done: now }
      return await this.#write(now.held, await this.#rotated(now, { root: due === 'root' }, at), at)
    })
  }

  #due({ held, roots, intermediates }: Opened, at: Date): 'root' | 'intermediate' | 'life' | undefined {
    const isLate = ({ authority: { validity } }: OpenAuthority) => {
      const [from, until] = [validity.notBefore.getTime(), validity.notAfter.getTime()]
      return until - at.getTime() < (until - from) / 3
    }
    if (isLate(roots[0]!)) return 'root'
    if (isLate(intermediates[0]!)) return 'intermediate'
    return held.record.longestMs < this.#longestMs ? 'life' : undefined
  }

  #isFull({ roots, intermediates }: Opened, at: Date): boolean {
    const count = (list: readonly TrustedAuthority[]) => list.filter(({ until }) => at < until).length
    return Math.max(count(roots), count(intermediates)) >= this.#limits.authorities
  }

  /** For all who ask at this moment. */
  #readOnce(at: Date): Promise<Opened> {
    this.#reading ??= this.#read(at).finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #read(at: Date, signal?: AbortSignal): Promise<Opened> {
    const written = this.#written
    const held = await this.#records.read(schemas.authorities, key, signal)
    // What was written here meanwhile is newer.
    if (written !== this.#written && this.#opened) return this.#opened
    if (held) return this.#open(held, at)
    return await this.#records.untilDone(key, signal, async () => {
      const found = await this.#records.read(schemas.authorities, key, signal)
      return found ? { done: this.#open(found, at) } : await this.#write(undefined, await this.#first(at), at)
    })
  }

  async #write(
    held: Held<AuthoritiesRecord> | undefined,
    next: AuthoritiesRecord,
    at: Date,
  ): Promise<{ done: Opened } | undefined> {
    const sequence = (held?.record.sequence ?? 0) + 1
    const longestMs = Math.max(next.longestMs, this.#longestMs)
    const record = { ...next, sequence, longestMs }
    const revision = await this.#records.write(key, held, record)
    if (revision === undefined) return undefined
    this.#written++
    return { done: this.#open({ record, revision }, at) }
  }

  #open(held: Held<AuthoritiesRecord>, at: Date): Opened {
    this.#readAt = at.getTime()
    if (this.#opened?.held.revision === held.revision) return this.#opened
    const { record } = held
    const known = new Map(
      [...(this.#opened?.roots ?? []), ...(this.#opened?.intermediates ?? [])].map((one) => [one.id, one]),
    )
    const trusted = (entry: AuthoritiesRecord['roots'][number]): TrustedAuthority => {
      const { id, authority, key } = known.get(entry.id) ?? reopen(entry, this.#plan.random)
      const end = authority.validity.notAfter.getTime()
      return { id, authority, key, until: new Date(Math.min(end, entry.until ?? end)) }
    }
    const roots = record.roots.map(trusted)
    const intermediates = record.intermediates.map((entry) => ({
      ...trusted(entry),
      root: entry.root,
      chain: [entry.certificate, ...crossesTo(record, entry.root)].map(pemOf).join(''),
    }))
    this.#opened = { held, roots, intermediates }
    return this.#opened
  }

  async #first(at: Date): Promise<AuthoritiesRecord> {
    const root = await makeRoot(this.#plan, at)
    const intermediate = await makeIntermediate(this.#plan, root.authority, at)
    return {
      format: 'sealift-pki/1',
      sequence: 0,
      longestMs: this.#longestMs,
      roots: [recordOf(root)],
      intermediates: [{ ...recordOf(intermediate), root: root.id }],
      crosses: [],
    }
  }

  async #rotated(opened: Opened, rotation: Rotation, at: Date): Promise<AuthoritiesRecord> {
    const { held, roots, intermediates } = opened
    const old = withoutEnded(held.record, [...roots, ...intermediates], at)
    if (this.#isFull(opened, at)) {
      throw failure('PKI_TOO_MANY', `${this.#limits.authorities} authorities are still trusted`, {
        hint: 'Wait until the last certificate of an older one has ended.',
      })
    }
    const now = at.getTime()
    // A replica that has not heard of this may issue under the old one for a while.
    const last = now + Math.max(old.longestMs, this.#longestMs) + 2 * this.#refreshMs + clockMs
    const oldRoot = roots[0]!
    const root = rotation.root ? await makeRoot(this.#plan, at) : oldRoot
    const intermediate = await makeIntermediate(this.#plan, root.authority, at)
    const next: AuthoritiesRecord = {
      ...old,
      intermediates: [
        { ...recordOf(intermediate), root: root.id },
        ...old.intermediates.map((entry) => ({ until: rotation.distrust ? now : last, ...entry })),
      ],
    }
    if (!rotation.root) return next
    const until = Math.max(last, now + crossMs)
    next.roots = [recordOf(root), ...old.roots.map((entry) => ({ until, ...entry }))]
    // Nobody was here for so long that it has ended.
    if (at >= oldRoot.until) return next
    const certificate = base64(await crossCertificate(this.#plan, oldRoot.authority, root, at))
    return { ...next, crosses: [{ root: root.id, by: oldRoot.id, certificate }, ...old.crosses] }
  }
}

function trustedOf({ held, roots, intermediates }: Opened, at: Date): AuthoritySet {
  const counts = ({ until }: TrustedAuthority) => at < until
  const [first, ...others] = intermediates.filter(counts)
  if (!first) throw failure('PKI_STATE_INVALID', 'all authorities of the PKI have ended')
  return { sequence: held.record.sequence, roots: roots.filter(counts), intermediates: [first, ...others] }
}

/** Without those whose last certificate has ended, and what only led to them. */
function withoutEnded(
  record: AuthoritiesRecord,
  opened: readonly TrustedAuthority[],
  at: Date,
): AuthoritiesRecord {
  const trusted = new Set(opened.filter(({ until }) => at < until).map(({ id }) => id))
  return {
    ...record,
    roots: record.roots.filter(({ id }) => trusted.has(id)),
    intermediates: record.intermediates.filter(({ id }) => trusted.has(id)),
    crosses: record.crosses.filter(({ root, by }) => trusted.has(root) && trusted.has(by)),
  }
}

function missing({ roots, intermediates }: Opened, next: AuthoritiesRecord): string[] {
  const kept = new Set([...next.roots, ...next.intermediates].map(({ id }) => id))
  return [...roots, ...intermediates].map(({ id }) => id).filter((id) => !kept.has(id))
}

/** The certificates that lead from this root to older ones, the next first. */
function crossesTo({ crosses }: AuthoritiesRecord, root: string): string[] {
  const found: string[] = []
  let wanted = root
  // The newest stand first, and one is vouched for by one that is older.
  for (const cross of crosses) {
    if (cross.root !== wanted) continue
    found.push(cross.certificate)
    wanted = cross.by
  }
  return found
}

const recordOf = ({ id, authority, key }: OpenAuthority) => ({
  id,
  certificate: base64(authority.certificate.der),
  key: pkcs8Of(key),
})

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

const pemOf = (der: string): string => formatPem('CERTIFICATE', Buffer.from(der, 'base64'))
