import { type BrokerServerLimits, brokerServerLimits } from '#base/index.ts'
import { BoundedCounts, family, Histogram, labels } from '../http/exposition.ts'
import type { ListenerName } from './broker-log.ts'

const boundsMs = [0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000]
const prefix = 'sealift_broker'

/** Which of the listeners' limits was hit, by its name in the configuration. */
export type LimitName =
  | 'requestsPerSecond'
  | 'loginFailuresPerSecond'
  | 'bodyBytes'
  | 'bodiesBytes'
  | 'requestSeconds'
  | 'headersSeconds'
  | 'concurrent'

interface Call {
  readonly statuses: Map<number, number>
  readonly durations: Histogram
}

/** What the listeners count. Every label is one of few: a text that a caller chose is never one. */
export class BrokerMetrics {
  readonly #calls: Readonly<Record<ListenerName, Map<string, Call>>> = {
    guests: new Map(),
    admins: new Map(),
  }
  readonly #refusals: BoundedCounts
  readonly #hits = new Map<LimitName, number>()
  readonly #labels: number
  /** Requests in work. */
  readonly inWork: Record<ListenerName, number> = { guests: 0, admins: 0 }

  constructor(limits: BrokerServerLimits = brokerServerLimits) {
    this.#labels = limits.labels
    this.#refusals = new BoundedCounts(/^[A-Z][A-Z0-9_]{0,63}$/, limits.labels)
  }

  answered(listener: ListenerName, call: string, status: number, durationMs: number): void {
    const known = this.#callOf(this.#calls[listener], call)
    known.statuses.set(status, (known.statuses.get(status) ?? 0) + 1)
    known.durations.observe(durationMs)
  }

  refused(code: string): void {
    this.#refusals.add(code)
  }

  limitHit(name: LimitName): void {
    this.#hits.set(name, (this.#hits.get(name) ?? 0) + 1)
  }

  #callOf(calls: Map<string, Call>, name: string): Call {
    const known = calls.get(name)
    if (known) return known
    const isTaken = /^[a-z][a-z0-9-]{0,31}$/.test(name) && calls.size < this.#labels
    if (!isTaken && name !== 'other') return this.#callOf(calls, 'other')
    const call = { statuses: new Map<number, number>(), durations: new Histogram(boundsMs) }
    calls.set(name, call)
    return call
  }

  /** @param gauges of the broker, by name; those that end in `_total` only grow */
  text(gauges: Readonly<Record<string, number>> = {}): string {
    const duration = `${prefix}_request_duration_seconds`
    const own = Object.entries(gauges).filter(([name]) => /^[a-z][a-z0-9_]{0,63}$/.test(name))
    return [
      family(`${prefix}_requests_total`, 'counter', 'Requests answered.', this.#requests()),
      `# HELP ${duration} Time from the head of a request to its answer.\n# TYPE ${duration} histogram\n`,
      ...this.#each((listener, call, { durations }) => durations.samples(duration, { listener, call })),
      family(
        `${prefix}_requests_in_work`,
        'gauge',
        'Requests in work.',
        Object.entries(this.inWork).map(([listener, value]) => [labels({ listener }), value] as const),
      ),
      family(`${prefix}_refusals_total`, 'counter', 'Refusals, by code.', this.#refusals.samples('code')),
      family(
        `${prefix}_limit_hits_total`,
        'counter',
        'Requests that a limit ended, by its name.',
        [...this.#hits].map(([limit, value]) => [labels({ limit }), value] as const),
      ),
      ...own.map(([name, value]) =>
        family(`${prefix}_${name}`, name.endsWith('_total') ? 'counter' : 'gauge', 'Of the broker.', [
          ['', value],
        ]),
      ),
    ].join('')
  }

  #requests(): (readonly [string, number])[] {
    return this.#each((listener, call, { statuses }) =>
      [...statuses].map(
        ([status, count]) => [labels({ listener, call, status: String(status) }), count] as const,
      ),
    ).flat()
  }

  #each<T>(tell: (listener: ListenerName, name: string, call: Call) => T): T[] {
    return (['guests', 'admins'] as const).flatMap((listener) =>
      [...this.#calls[listener]].map(([name, call]) => tell(listener, name, call)),
    )
  }
}
