import { type AdmissionLimits, admissionLimits, isFailure, Lru } from '#base/index.ts'
import { type Digest, formatReference, type Reference, withDigest } from '#oci/index.ts'
import type { Clock, FoundSubject, PinnedReference, SubjectSource } from '../types.ts'
import { Flights } from './flights.ts'

interface Remembered {
  readonly reference: PinnedReference
  readonly found: FoundSubject
  /** When it was asked for. */
  readonly at: number
  /** A refusal rests on it: asked for again this soon. */
  doubtedAt?: number
  usedAt: number
}

/** How often what was looked up was known already. */
export interface Lookups {
  hits: number
  misses: number
  /** Asked for again in the background. */
  refreshed: number
  /** Used though it was too old, as the mirror was away. */
  stale: number
}

/**
 * Remembers contents with their proofs, so that a pod given by digests needs no request. What is in use is asked for
 * again in the background, so a new signature or a revoking attestation counts within `refreshMs`, and `absenceMs`
 * after a refusal. Where the mirror is away, what is known holds for `staleMs`. That something is not
 * there is never remembered. Whether a proof is good is not decided here, nor how long: that is the gate's.
 */
export class RememberedSubjects implements SubjectSource, Disposable {
  readonly #source: SubjectSource
  readonly #limits: AdmissionLimits
  readonly #now: Clock
  readonly #known: Lru<string, Remembered>
  /** The keys of what is in use, by turns. */
  readonly #inUse = new Map<string, Remembered>()
  readonly #finding = new Flights<FoundSubject>()
  readonly #resolving = new Flights<Digest>()
  readonly #stop = new AbortController()
  #timer: NodeJS.Timeout | undefined
  readonly lookups: Lookups = { hits: 0, misses: 0, refreshed: 0, stale: 0 }

  constructor(source: SubjectSource, limits: AdmissionLimits = admissionLimits, now: Clock = Date.now) {
    this.#source = source
    this.#limits = limits
    this.#now = now
    this.#known = new Lru(limits.contentBytes)
  }

  /** Begins to ask again in the background. */
  start(): void {
    this.#timer ??= setInterval(() => void this.refresh(), Math.max(10, this.#limits.refreshMs / 2)).unref()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#stop.abort()
  }

  resolve(reference: Reference, signal: AbortSignal): Promise<Digest> {
    return this.#resolving.join(formatReference(reference), signal, (signal) =>
      this.#source.resolve(reference, signal),
    )
  }

  async find(reference: PinnedReference, signal: AbortSignal): Promise<FoundSubject> {
    const key = keyOf(reference)
    const known = this.#known.get(key)
    const now = this.#now()
    if (known !== undefined) known.usedAt = now
    if (known !== undefined && this.#isFresh(known, now)) {
      this.lookups.hits++
      return known.found
    }
    this.lookups.misses++
    try {
      return await this.#ask(key, reference, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (known === undefined || !isFailure(error, 'MIRROR_UNAVAILABLE')) throw error
      if (this.#age(known, now) > this.#limits.staleMs) throw error
      this.lookups.stale++
      return known.found
    }
  }

  doubt(reference: PinnedReference): void {
    const known = this.#known.get(keyOf(reference))
    if (known) known.doubtedAt ??= this.#now()
  }

  /** Asks again for what is in use and half as old as it may be. Failures leave what is known. */
  async refresh(): Promise<void> {
    const now = this.#now()
    const due: [string, Remembered][] = []
    for (const [key, remembered] of this.#inUse) {
      const isGone = this.#known.peek(key) !== remembered
      if (isGone || now - remembered.usedAt > this.#limits.unusedMs) this.#inUse.delete(key)
      else if (this.#age(remembered, now) >= this.#limits.refreshMs / 2) due.push([key, remembered])
    }
    const workers = Array.from({ length: this.#limits.lookups }, async () => {
      for (let next = due.pop(); next !== undefined; next = due.pop()) {
        const [key, { reference, usedAt }] = next
        const limit = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(this.#limits.reviewMs)])
        await this.#ask(key, reference, limit, usedAt).then(
          () => this.lookups.refreshed++,
          (error) => {
            if (isFailure(error, 'IMAGE_NOT_FOUND')) this.#known.delete(key)
          },
        )
      }
    })
    await Promise.all(workers)
  }

  #ask(key: string, reference: PinnedReference, signal: AbortSignal, usedAt = this.#now()) {
    return this.#finding.join(key, signal, async (signal) => {
      const at = this.#now()
      const found = await this.#source.find(reference, signal)
      const remembered = { reference, found, at, usedAt }
      this.#known.set(key, remembered, weightOf(found, this.#limits))
      this.#inUse.set(key, remembered)
      return found
    })
  }

  #isFresh(known: Remembered, now: number): boolean {
    if (known.doubtedAt !== undefined && now - known.doubtedAt >= this.#limits.absenceMs) return false
    return this.#age(known, now) <= this.#limits.refreshMs
  }

  /** A clock that was set back makes everything old. */
  #age({ at }: Remembered, now: number): number {
    return now < at ? Number.POSITIVE_INFINITY : now - at
  }
}

/** The tag is no matter where a digest is given. */
const keyOf = (reference: PinnedReference) => formatReference(withDigest(reference, reference.digest))

/** Bytes held, and at least so many that no more than `contents` of them fit. */
function weightOf({ proofs, within = [] }: FoundSubject, limits: AdmissionLimits): number {
  let bytes = 0
  for (const list of [proofs, ...within.map(({ proofs }) => proofs)]) {
    for (const proof of list) bytes += proof.bytes.length
  }
  return Math.max(bytes, Math.ceil(limits.contentBytes / limits.contents))
}
