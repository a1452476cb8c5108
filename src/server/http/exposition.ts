// Prometheus' text format (exposition format 0.0.4).

export const expositionType = 'text/plain; version=0.0.4; charset=utf-8'

/** `{name="value",...}`; empty for no labels. What would end a value early is replaced. */
export function labels(pairs: Readonly<Record<string, string>>): string {
  const entries = Object.entries(pairs)
  if (entries.length === 0) return ''
  return `{${entries.map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, '_')}"`).join(',')}}`
}

/** One metric with its samples, by labels. */
export function family(
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  samples: Iterable<readonly [labels: string, value: number]>,
): string {
  let text = `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`
  for (const [key, value] of samples) text += `${name}${key} ${value}\n`
  return text
}

/** Counts of things that take a while, by upper bounds in milliseconds. */
export class Histogram {
  readonly #boundsMs: readonly number[]
  /** Of each bucket alone; one more for what is beyond the last bound. */
  readonly #counts: number[]
  #sumMs = 0

  constructor(boundsMs: readonly number[]) {
    this.#boundsMs = boundsMs
    this.#counts = new Array<number>(boundsMs.length + 1).fill(0)
  }

  observe(milliseconds: number): void {
    let at = 0
    while (at < this.#boundsMs.length && milliseconds > this.#boundsMs[at]!) at++
    this.#counts[at]!++
    this.#sumMs += milliseconds
  }

  /** In seconds, as Prometheus has times. @param key labels without `le` */
  samples(name: string, key: Readonly<Record<string, string>>): string {
    let text = ''
    let count = 0
    for (const [at, own] of this.#counts.entries()) {
      count += own
      const bound = this.#boundsMs[at]
      text += `${name}_bucket${labels({ ...key, le: bound === undefined ? '+Inf' : String(bound / 1000) })} ${count}\n`
    }
    const all = labels(key)
    return `${text}${name}_sum${all} ${this.#sumMs / 1000}\n${name}_count${all} ${count}\n`
  }
}

/** Counts by text that others chose: only letters and numbers that fit, and no more different ones than `most`. */
export class BoundedCounts {
  readonly #counts = new Map<string, number>()
  readonly #most: number
  readonly #form: RegExp

  constructor(form: RegExp, most: number) {
    this.#form = form
    this.#most = most
  }

  add(text: string): void {
    const known = this.#counts.get(text)
    if (known !== undefined) this.#counts.set(text, known + 1)
    else if (this.#form.test(text) && this.#counts.size < this.#most) this.#counts.set(text, 1)
    else this.#counts.set('OTHER', (this.#counts.get('OTHER') ?? 0) + 1)
  }

  *samples(label: string): Iterable<readonly [string, number]> {
    for (const [text, count] of this.#counts) yield [labels({ [label]: text }), count]
  }
}
