import { writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import type { Cost } from './measure.ts'

interface Line {
  readonly what: string
  readonly who: string
  readonly value: string
  readonly ratio: string
}

/** Collects figures, and holds them against the goals. */
export class Report {
  readonly shortfalls: string[] = []
  readonly #groups: { title: string; note: string; lines: Line[] }[] = []

  group(title: string, note: string): void {
    this.#groups.push({ title, note, lines: [] })
  }

  /** One figure without a peer; `most` is the goal. */
  figure(what: string, value: number, unit: 'ms' | 'MiB' | 'x', most?: number): void {
    const goal = most === undefined ? '' : `goal: at most ${most} ${unit}`
    this.#add({ what, who: 'sealift', value: `${round(value)} ${unit}`, ratio: goal })
    if (most !== undefined && value > most)
      this.shortfalls.push(`${what}: ${round(value)} ${unit}, goal ${most}`)
  }

  /** One rate without a peer, where more is better; `least` is the goal. */
  goal(what: string, value: number, unit: string, least?: number): void {
    const ratio = least === undefined ? '' : `goal: at least ${least} ${unit}`
    this.#add({ what, who: 'sealift', value: `${round(value)} ${unit}`, ratio })
    if (least !== undefined && value < least)
      this.shortfalls.push(`${what}: ${round(value)} ${unit}, goal ${least}`)
  }

  cost(what: string, who: string, { wallMs, cpuMs, peakBytes }: Cost, ratio = ''): void {
    const value = `${(wallMs / 1000).toFixed(2)} s, ${(cpuMs / 1000).toFixed(2)} CPU s, ${Math.round(peakBytes / 2 ** 20)} MiB`
    this.#add({ what, who, value, ratio })
  }

  /** How many times as fast as the peer we are; `least` is the goal. */
  compare(
    what: string,
    ours: Cost,
    peers: Readonly<Record<string, Cost>>,
    least: Readonly<Record<string, number>>,
  ): void {
    this.cost(what, 'sealift', ours)
    for (const [name, theirs] of Object.entries(peers)) {
      const ratio = theirs.wallMs / ours.wallMs
      const goal = least[name]
      this.cost(
        what,
        name,
        theirs,
        `${ratio.toFixed(2)} times as fast${goal === undefined ? '' : ` (goal ${goal})`}`,
      )
      if (goal !== undefined && ratio < goal)
        this.shortfalls.push(`${what}: ${ratio.toFixed(2)} times ${name}, goal ${goal}`)
    }
  }

  /** Rates, where more is better. */
  rate(what: string, ours: number, peer: string, theirs: number, unit: string, least?: number): void {
    const ratio = ours / theirs
    this.#add({ what, who: 'sealift', value: `${round(ours)} ${unit}`, ratio: '' })
    const goal = least === undefined ? '' : ` (goal ${least})`
    this.#add({
      what,
      who: peer,
      value: `${round(theirs)} ${unit}`,
      ratio: `${ratio.toFixed(2)} times${goal}`,
    })
    if (least !== undefined && ratio < least)
      this.shortfalls.push(`${what}: ${ratio.toFixed(2)} times ${peer}, goal ${least}`)
  }

  absent(peer: string): void {
    this.#add({ what: '', who: peer, value: 'not installed, not measured', ratio: '' })
  }

  text(): string {
    const parts = this.#groups.map(({ title, note, lines }) => {
      const rows = lines.map(({ what, who, value, ratio }) => `| ${what} | ${who} | ${value} | ${ratio} |`)
      return [
        `## ${title}`,
        '',
        note,
        '',
        '| What | Who | Figure | Sealift beside it |',
        '|---|---|---|---|',
        ...rows,
      ].join('\n')
    })
    return parts.join('\n\n')
  }

  write(path: string): void {
    const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux, Node ${process.version}`
    const head = `# Benchmarks\n\nWritten by \`npm run bench -- --write\`: side by side in one run, medians of several. Machine: ${machine}. Wall time, processor time and peak memory of the whole process.\n`
    writeFileSync(path, `${head}\n${this.text()}\n`)
  }

  #add(line: Line): void {
    const group = this.#groups.at(-1)
    if (!group) throw new Error('a figure before its group')
    group.lines.push(line)
  }
}

const round = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
