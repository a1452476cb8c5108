// Runs a command as a process and tells what it cost: wall time, processor time and peak memory, as the kernel
// accounts them (proc(5)), and the median over several runs.
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'

export interface Cost {
  readonly wallMs: number
  readonly cpuMs: number
  readonly peakBytes: number
}

const clockTickMs = 10

/** Watches a process and its children until `end` is called. */
export class Watch {
  readonly #pid: number
  readonly #timer: NodeJS.Timeout
  #cpuMs = 0
  #peakBytes = 0

  constructor(pid: number) {
    this.#pid = pid
    this.#timer = setInterval(() => this.look(), 10)
  }

  look(): void {
    try {
      const stat = readFileSync(`/proc/${this.#pid}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      // utime, stime, and those of children that have ended.
      const ticks = [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0)
      this.#cpuMs = Math.max(this.#cpuMs, ticks * clockTickMs)
      const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.#pid}/status`, 'utf8'))
      this.#peakBytes = Math.max(this.#peakBytes, Number(peak?.[1] ?? 0) * 1024)
    } catch {
      // It has ended between two looks.
    }
  }

  end(): { cpuMs: number; peakBytes: number } {
    this.look()
    clearInterval(this.#timer)
    return { cpuMs: this.#cpuMs, peakBytes: this.#peakBytes }
  }
}

/** Runs commands one after the other as one task. Throws where one fails, with what it said. */
export async function cost(
  commands: readonly (readonly string[])[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<Cost> {
  const begun = performance.now()
  let cpuMs = 0
  let peakBytes = 0
  for (const [program, ...args] of commands) {
    const child = spawn(program as string, args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
    const watch = new Watch(child.pid as number)
    let said = ''
    child.stderr.on('data', (text) => {
      said = (said + text).slice(-2000)
    })
    const code = await new Promise<number | null>((resolve, reject) =>
      child.once('error', reject).once('close', resolve),
    )
    const used = watch.end()
    cpuMs += used.cpuMs
    peakBytes = Math.max(peakBytes, used.peakBytes)
    if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${said}`)
  }
  return { wallMs: performance.now() - begun, cpuMs, peakBytes }
}

/** The middle one of several. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

export function medianCost(costs: readonly Cost[]): Cost {
  return {
    wallMs: median(costs.map(({ wallMs }) => wallMs)),
    cpuMs: median(costs.map(({ cpuMs }) => cpuMs)),
    peakBytes: Math.max(...costs.map(({ peakBytes }) => peakBytes)),
  }
}

/** Starts a server and resolves with the first line it prints that matches, or once the port answers. */
export async function startServer(
  command: readonly string[],
  ready: (child: ChildProcess) => Promise<string>,
): Promise<{ child: ChildProcess; address: string; stop: () => Promise<void> }> {
  const [program, ...args] = command
  const child = spawn(program as string, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stderr?.resume()
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const address = await ready(child)
  return {
    child,
    address,
    stop: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}
