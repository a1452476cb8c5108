import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import type { Readable } from 'node:stream'
import { failure } from '../codes.ts'
import type { LogEvent } from '../runtime/operation.ts'

export interface ProcessSpec {
  readonly command: string
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly onLog?: ((event: LogEvent) => void | Promise<void>) | undefined
  readonly timeoutMs?: number | undefined
  readonly graceMs?: number | undefined
  /** After the group was killed: for what does not die with it. */
  readonly afterKill?: () => Promise<void>
}

/** What processes left behind may still write into the log after the run tool has ended, in milliseconds. */
const drainMs = 200

/**
 * Runs a program in a session of its own, with exactly this environment and nothing on its standard input, and
 * waits for its end. On the signal, or after the time, its process group gets SIGTERM, and SIGKILL after the
 * grace. Processes that it leaves behind when it ends by itself are left alone.
 *
 * @returns the exit code; 128 and the number of the signal that ended it
 * @throws ACTION_TIMEOUT, ACTION_CANCELED, DRIVER_FAILED where it cannot be started, and what `onLog` throws
 */
export async function runProcess(spec: ProcessSpec, signal: AbortSignal): Promise<number> {
  const { graceMs = 10_000, timeoutMs } = spec
  if (signal.aborted) throw canceled(signal)
  const child = spawn(spec.command, spec.args, {
    env: { ...spec.environment },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stopped: 'timeout' | 'canceled' | 'log' | undefined
  let killTimer: NodeJS.Timeout | undefined
  let killed: Promise<void> | undefined
  const stop = (why: NonNullable<typeof stopped>) => {
    if (stopped) return
    stopped = why
    killGroup(child.pid, 'SIGTERM')
    killTimer = setTimeout(() => {
      killGroup(child.pid, 'SIGKILL')
      killed = spec.afterKill?.()
    }, graceMs)
  }
  const onAbort = () => stop('canceled')
  signal.addEventListener('abort', onAbort, { once: true })
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => stop('timeout'), timeoutMs)
  const pumps = Promise.all([
    pump(child.stdout, 'stdout', spec.onLog),
    pump(child.stderr, 'stderr', spec.onLog),
  ]).catch((error: unknown) => {
    stop('log')
    child.stdout.destroy()
    child.stderr.destroy()
    return { error }
  })
  try {
    const exitCode = await new Promise<number>((resolve, reject) => {
      child.once('error', (cause) =>
        reject(failure('DRIVER_FAILED', `${spec.command} cannot be started: ${cause.message}`, { cause })),
      )
      child.once('exit', (code, name) => resolve(code ?? 128 + (name ? constants.signals[name] : 0)))
    })
    if (stopped) killGroup(child.pid, 'SIGKILL')
    await killed
    const drain = setTimeout(() => {
      child.stdout.destroy()
      child.stderr.destroy()
    }, drainMs)
    const logged = await pumps
    clearTimeout(drain)
    if ('error' in logged) throw logged.error
    if (stopped === 'canceled') throw canceled(signal)
    if (stopped === 'timeout') {
      throw failure('ACTION_TIMEOUT', `the run tool did not end in ${timeoutMs} ms and was stopped`)
    }
    return exitCode
  } finally {
    clearTimeout(timer)
    clearTimeout(killTimer)
    signal.removeEventListener('abort', onAbort)
  }
}

const canceled = (signal: AbortSignal) =>
  failure('ACTION_CANCELED', 'the action was stopped', { cause: signal.reason })

async function pump(from: Readable, stream: LogEvent['stream'], onLog: ProcessSpec['onLog']): Promise<void> {
  try {
    for await (const bytes of from) await onLog?.({ stream, bytes: bytes as Buffer })
  } catch (error) {
    // Destroyed after the end of the program, because what it left behind holds the other end.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
  }
}

function killGroup(pid: number | undefined, name: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
