import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** A process that cannot be mistaken for a later one of the same number: boot, number, and when it began. */
export interface ProcessIdentity {
  readonly bootId: string
  readonly pid: number
  /** In clock ticks since the boot (proc(5), stat, field 22). */
  readonly startTicks: string
}

export function identityOf(pid: number = process.pid): ProcessIdentity | undefined {
  try {
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name, field 2, may hold spaces and parentheses: what follows the last one is plain.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // A zombie runs no more; it only waits to be asked how it ended.
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined
    return { bootId, pid, startTicks: fields[19] ?? '' }
  } catch {
    return undefined
  }
}

export function isAlive(identity: ProcessIdentity): boolean {
  const now = identityOf(identity.pid)
  return now !== undefined && now.bootId === identity.bootId && now.startTicks === identity.startTicks
}

/** Processes that live in a mount namespace, by its name as /proc/PID/ns/mnt gives it. */
export function processesIn(mountNamespace: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/ns/mnt`) === mountNamespace
      } catch {
        return false // gone meanwhile, or another user's, which is none of ours
      }
    })
}
