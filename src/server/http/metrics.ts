import type { Lookups } from '../subjects/remembered-subjects.ts'
import { BoundedCounts, family, Histogram, labels } from './exposition.ts'

const boundsMs = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000]
const code = /^[A-Z][A-Z0-9_]{0,63}$/

/** What the webhook counts. */
export class Metrics {
  readonly #reviews = new Map<string, number>()
  /** Reasons are ours or a policy's. */
  readonly #denials = new BoundedCounts(code, 200)
  readonly #refusals = new BoundedCounts(code, 200)
  readonly #durations = new Map<string, Histogram>()
  readonly #lookups: (() => Lookups) | undefined
  readonly #certificateEnd: (() => Date | undefined) | undefined
  /** Reviews in work. */
  inWork = 0

  constructor(sources: { lookups?: () => Lookups; certificateEnd?: () => Date | undefined } = {}) {
    this.#lookups = sources.lookups
    this.#certificateEnd = sources.certificateEnd
  }

  reviewed(webhook: string, outcome: string, milliseconds: number): void {
    const key = labels({ webhook, outcome })
    this.#reviews.set(key, (this.#reviews.get(key) ?? 0) + 1)
    const known = this.#durations.get(webhook) ?? new Histogram(boundsMs)
    this.#durations.set(webhook, known)
    known.observe(milliseconds)
  }

  /** For each code that a denial gave. */
  denied(reason: string): void {
    this.#denials.add(reason)
  }

  /** A request that was no review, or could not be answered as one. */
  refused(refusal: string): void {
    this.#refusals.add(refusal)
  }

  text(): string {
    const prefix = 'sealift_admission'
    const duration = `${prefix}_review_duration_seconds`
    const durations = [...this.#durations].map(([webhook, known]) => known.samples(duration, { webhook }))
    const parts = [
      family(`${prefix}_reviews_total`, 'counter', 'Reviews answered, by outcome.', this.#reviews),
      family(`${prefix}_denials_total`, 'counter', 'Reasons of denials.', this.#denials.samples('reason')),
      family(
        `${prefix}_refusals_total`,
        'counter',
        'Requests that were no review.',
        this.#refusals.samples('code'),
      ),
      family(`${prefix}_reviews_in_work`, 'gauge', 'Reviews in work.', [['', this.inWork]]),
      `# HELP ${duration} Time from the whole review to its answer.\n# TYPE ${duration} histogram\n`,
      ...durations,
    ]
    const lookups = this.#lookups?.()
    if (lookups) {
      const samples = Object.entries(lookups).map(([kind, value]) => [labels({ kind }), value] as const)
      parts.push(
        family(`${prefix}_lookups_total`, 'counter', 'Contents looked up with their proofs.', samples),
      )
    }
    const end = this.#certificateEnd?.()
    if (end) {
      const at = [['', Math.floor(end.getTime() / 1000)]] as const
      parts.push(family(`${prefix}_certificate_end_seconds`, 'gauge', 'End of the serving certificate.', at))
    }
    return parts.join('')
  }
}
