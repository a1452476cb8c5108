import type { Lookups } from '../subjects/remembered-subjects.ts'

const bucketsMs = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000]

/** What the webhook counts, in Prometheus' text format (exposition format 0.0.4). */
export class Metrics {
  readonly #reviews = new Map<string, number>()
  readonly #denials = new Map<string, number>()
  readonly #refusals = new Map<string, number>()
  readonly #durations = new Map<string, { counts: number[]; count: number; sumMs: number }>()
  readonly #lookups: (() => Lookups) | undefined
  readonly #certificateEnd: (() => Date | undefined) | undefined
  /** Reviews in work. */
  inWork = 0

  constructor(sources: { lookups?: () => Lookups; certificateEnd?: () => Date | undefined } = {}) {
    this.#lookups = sources.lookups
    this.#certificateEnd = sources.certificateEnd
  }

  reviewed(webhook: string, outcome: string, milliseconds: number): void {
    increment(this.#reviews, labels({ webhook, outcome }))
    const key = labels({ webhook })
    const known = this.#durations.get(key) ?? { counts: bucketsMs.map(() => 0), count: 0, sumMs: 0 }
    this.#durations.set(key, known)
    for (const [at, bound] of bucketsMs.entries()) if (milliseconds <= bound) known.counts[at]!++
    known.count++
    known.sumMs += milliseconds
  }

  /** For each code that a denial gave. They are ours or a policy's: bounded in number and letters here. */
  denied(reason: string): void {
    const known = labels({ reason: /^[A-Z][A-Z0-9_]{0,63}$/.test(reason) ? reason : 'OTHER' })
    if (this.#denials.has(known) || this.#denials.size < 200) increment(this.#denials, known)
    else increment(this.#denials, labels({ reason: 'OTHER' }))
  }

  /** A request that was no review, or could not be answered as one. */
  refused(code: string): void {
    increment(this.#refusals, labels({ code }))
  }

  text(): string {
    const lines: string[] = []
    const family = (
      name: string,
      type: string,
      help: string,
      samples: Iterable<readonly [string, number]>,
    ) => {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`)
      for (const [key, value] of samples) lines.push(`${name}${key} ${value}`)
    }
    family('sealift_admission_reviews_total', 'counter', 'Reviews answered, by outcome.', this.#reviews)
    family('sealift_admission_denials_total', 'counter', 'Reasons of denials.', this.#denials)
    family('sealift_admission_refusals_total', 'counter', 'Requests that were no review.', this.#refusals)
    family('sealift_admission_reviews_in_work', 'gauge', 'Reviews in work.', [['', this.inWork]])
    const name = 'sealift_admission_review_duration_seconds'
    lines.push(`# HELP ${name} Time from the whole review to its answer.`, `# TYPE ${name} histogram`)
    for (const [key, { counts, count, sumMs }] of this.#durations) {
      const inner = key.slice(1, -1)
      for (const [at, bound] of bucketsMs.entries()) {
        lines.push(`${name}_bucket{${inner},le="${bound / 1000}"} ${counts[at]}`)
      }
      lines.push(`${name}_bucket{${inner},le="+Inf"} ${count}`)
      lines.push(`${name}_sum${key} ${sumMs / 1000}`, `${name}_count${key} ${count}`)
    }
    const lookups = this.#lookups?.()
    if (lookups) {
      const samples = Object.entries(lookups).map(([kind, value]): [string, number] => [
        labels({ kind }),
        value,
      ])
      family('sealift_admission_lookups_total', 'counter', 'Contents looked up with their proofs.', samples)
    }
    const end = this.#certificateEnd?.()
    if (end) {
      const at: [string, number][] = [['', Math.floor(end.getTime() / 1000)]]
      family('sealift_admission_certificate_end_seconds', 'gauge', 'End of the serving certificate.', at)
    }
    return `${lines.join('\n')}\n`
  }
}

const increment = (map: Map<string, number>, key: string) => map.set(key, (map.get(key) ?? 0) + 1)

const labels = (pairs: Readonly<Record<string, string>>) =>
  `{${Object.entries(pairs)
    .map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, '_')}"`)
    .join(',')}}`
