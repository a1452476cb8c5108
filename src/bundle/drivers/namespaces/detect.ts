import { findProgram } from '../find-program.ts'
import { complaint, type DriverReport } from '../probe.ts'

/** The programs of util-linux, and whether it goes without being root. */
export interface NamespaceTools {
  readonly unshare: string
  readonly mount: string
  readonly setpriv: string
  readonly sh: string
  readonly rootless: boolean
}

/** Finds the programs and tries a mount in a new namespace. */
export function detectNamespaces(): DriverReport & { readonly tools?: NamespaceTools } {
  const name = 'namespaces'
  const rootless = process.getuid?.() !== 0
  const found: Record<string, string> = {}
  for (const program of ['unshare', 'mount', 'setpriv', 'sh'] as const) {
    const path = findProgram(program)
    if (!path) return { name, available: false, why: `there is no ${program} (Debian: util-linux, dash)` }
    found[program] = path
  }
  const tools = { ...(found as unknown as NamespaceTools), rootless }
  const why = complaint(tools.unshare, [
    ...(rootless ? ['--user', '--map-root-user'] : []),
    '--mount',
    '--propagation',
    'private',
    '--',
    tools.mount,
    '-t',
    'tmpfs',
    'tmpfs',
    '/tmp',
  ])
  if (why) return { name, available: false, why: `the kernel does not allow it: ${why}` }
  return { name, available: true, why: rootless ? 'with user namespaces' : 'as root', tools }
}
