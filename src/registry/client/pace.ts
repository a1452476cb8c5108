import type { Limits } from '#base/index.ts'

/** Time and chance, handed in so that tests do not wait. */
export interface Pace {
  readonly limits: Limits
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** From 0 (inclusive) to 1 (exclusive). */
  readonly random: () => number
  /** @throws the signal's reason */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>
}

const firstDelayMs = 200

/** How often one piece of work may be tried again, and how long to wait before: full jitter, doubling. */
export class Retries {
  readonly #pace: Pace
  #failed = 0

  constructor(pace: Pace) {
    this.#pace = pace
  }

  /** Bytes got through that will not be sent again: the count begins anew, so what is bounded is repeats without progress. */
  progressed(): void {
    this.#failed = 0
  }

  /**
   * Waits until it is time to try again; false where it is not worth it: too often, or the server asks to wait longer
   * than the limit.
   */
  async again(retryAfter: string | undefined, signal: AbortSignal | undefined): Promise<boolean> {
    const { limits, now, random, sleep } = this.#pace
    if (this.#failed >= limits.retries) return false
    const ceilingMs = Math.min(limits.retryDelayMs, firstDelayMs * 2 ** this.#failed)
    this.#failed++
    const askedMs = retryAfterMs(retryAfter, now()) ?? 0
    if (askedMs > limits.retryAfterMs) return false
    // On top of what the server asks for: all that it sent away would come back at the same moment otherwise.
    await sleep(askedMs + random() * ceilingMs, signal)
    return true
  }
}

/** RFC 9110 section 10.2.3: seconds, or a date. Undefined where it is neither. */
export function retryAfterMs(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined
  if (/^\d{1,12}$/.test(value)) return Number(value) * 1000
  // A date names its day; Date.parse alone would take a lone number or a version for one.
  const dateMs = /^[A-Z][a-z]{2}/.test(value) ? Date.parse(value) : Number.NaN
  return Number.isNaN(dateMs) ? undefined : Math.max(0, dateMs - nowMs)
}

/** Answers after which the same request may succeed. */
export const isRetryable = (status: number): boolean =>
  status === 408 || status === 429 || status === 500 || status === 502 || status === 503 || status === 504
