import { spawnSync } from 'node:child_process'

/** Whether a driver can work on this machine, and why not. */
export interface DriverReport {
  readonly name: string
  readonly available: boolean
  /** What was found, or what lacks, in one line. */
  readonly why: string
}

/** Runs a program that must end at once; what it complained of, or undefined where it did not. */
export function complaint(command: string, args: readonly string[]): string | undefined {
  const done = spawnSync(command, args, {
    env: {},
    timeout: 10_000,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (done.status === 0) return undefined
  const lines = (done.stderr ?? '').trim().split('\n')
  return done.error?.message ?? (lines.at(-1) || `${command} ended with ${done.status ?? done.signal}`)
}
