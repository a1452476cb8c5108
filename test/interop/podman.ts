import { mkdirSync, writeFileSync } from 'node:fs'
import type { Output, Workbench } from './workbench.ts'

const configuration = `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
`

/** podman with its state in the bench's folder, as it runs in a container without a systemd of its own. */
export function preparePodman(bench: Workbench): (...args: readonly string[]) => Promise<Output> {
  const folder = bench.fresh('podman')
  mkdirSync(folder)
  writeFileSync(`${folder}/containers.conf`, configuration)
  const options = [
    ...['--storage-driver', 'vfs', '--runtime', 'runc', '--tmpdir', `${folder}/tmp`],
    ...['--root', `${folder}/root`, '--runroot', `${folder}/run`],
  ]
  const env = { CONTAINERS_CONF: `${folder}/containers.conf` }
  return (...args) => bench.run('podman', [...options, ...args], { env })
}
