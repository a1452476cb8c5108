import { readFileSync, readlinkSync } from 'node:fs'

/** The right of one writer in this process to a file, as a text that can stand in the file's name. */
export interface Claim {
  readonly name: string
  release(): void
}

/** A process that this machine cannot ask about is taken for dead after so long without a byte. */
const silentMs = 10 * 60_000

const held = new Set<string>()
let self: string | undefined
let count = 0

export function claim(): Claim {
  self ??= identityOf(process.pid) ?? `unknown-0-${process.pid}-0`
  const name = `${self}-${++count}`
  held.add(name)
  return { name, release: () => held.delete(name) }
}

/**
 * Whether nobody holds the claim any more: its process is gone, or has released it. Of a process on another machine
 * or before the last start of this one nobody can say, so its file must also have been silent for long.
 *
 * @param modifiedMs when the claimed file was last written to
 */
export function isAbandoned(
  name: string,
  modifiedMs: number,
  options: { readonly silentMs?: number; readonly now?: () => number } = {},
): boolean {
  const isSilent = () => (options.now ?? Date.now)() - modifiedMs > (options.silentMs ?? silentMs)
  const match = /^([0-9a-z]+-[0-9]+)-([0-9]{1,10})-([0-9]+)-[0-9]+$/.exec(name)
  if (!match) return isSilent()
  self ??= identityOf(process.pid) ?? `unknown-0-${process.pid}-0`
  const [, place, pid, began] = match
  if (name.startsWith(`${self}-`)) return !held.has(name)
  if (!self.startsWith(`${place}-`)) return isSilent()
  return identityOf(Number(pid)) !== `${place}-${pid}-${began}`
}

/** BOOT-NAMESPACE-PID-START: no two processes that could meet have the same (proc(5): boot_id, ns, stat). */
function identityOf(pid: number): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').replaceAll(/[^0-9a-f]/g, '')
    const namespace = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0'
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The second field may hold spaces and parentheses: what follows the last one is plain.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // A zombie writes no more.
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : `${boot}-${namespace}-${pid}-${fields[19]}`
  } catch {
    return undefined
  }
}
