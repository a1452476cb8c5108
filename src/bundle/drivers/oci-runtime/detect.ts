import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram } from '../find-program.ts'
import { complaint, type DriverReport } from '../probe.ts'
import { runtimeConfig } from './config.ts'

export interface RuntimeTools {
  readonly runtime: string
  /** What comes before the subcommand. */
  readonly flags: readonly string[]
}

/**
 * Finds runc or crun, and runs a container of this machine's own /usr with it, as whether the cgroups of a machine
 * suit a runtime shows only then.
 */
export function detectOciRuntime(
  runtimes: readonly string[] = ['runc', 'crun'],
): DriverReport & { readonly tools?: RuntimeTools } {
  const name = 'oci-runtime'
  const complaints: string[] = []
  for (const runtime of runtimes) {
    const path = runtime.startsWith('/') ? runtime : findProgram(runtime)
    if (!path) {
      complaints.push(`there is no ${runtime}`)
      continue
    }
    // crun can do without cgroups, which some machines have in a form that it does not take.
    const attempts = [[], ...(path.endsWith('/crun') ? [['--cgroup-manager=disabled']] : [])]
    for (const flags of attempts) {
      const why = tryContainer(path, flags)
      if (why === undefined) {
        const how = flags.length > 0 ? `${path}, without resource limits` : path
        return { name, available: true, why: how, tools: { runtime: path, flags } }
      }
      complaints.push(`${runtime}: ${why}`)
    }
  }
  return { name, available: false, why: complaints.join('; ') }
}

function tryContainer(runtime: string, flags: readonly string[]): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'sealift-probe-'))
  try {
    const rootfs = join(directory, 'rootfs')
    mkdirSync(rootfs)
    const uid = process.getuid?.() ?? 0
    const config = runtimeConfig(
      {
        rootfs,
        mounts: ['/usr', '/lib', '/lib64', '/bin']
          .filter((path) => complaint('/bin/sh', ['-c', `test -e ${path}`]) === undefined)
          .map((path) => ({ from: path, to: path, readOnly: true })),
        environment: {},
        user: { uid: 0, gid: 0, home: '/' },
        workingDirectory: '/',
      },
      {
        hostNetwork: true,
        ...(uid !== 0 && { rootless: { uid, gid: process.getgid?.() ?? uid } }),
      },
      ['/bin/sh', '-c', ':'],
    )
    writeFileSync(join(directory, 'config.json'), JSON.stringify(config))
    const id = `sealift-probe-${process.pid}`
    return complaint(runtime, [
      ...flags,
      '--root',
      join(directory, 'state'),
      'run',
      '--bundle',
      directory,
      id,
    ])
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
