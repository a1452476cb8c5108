import { spawnSync } from 'node:child_process'

/** How the far side is cut off: a network namespace with nothing but loopback, where this machine allows one. */
export function gapCommand(): { command: string[]; network: string } {
  const isRoot = process.getuid?.() === 0
  const unshare = isRoot
    ? ['unshare', '--net', '--mount']
    : ['unshare', '--user', '--map-root-user', '--net', '--mount']
  // A new network has its loopback down. `ip` brings it up; without it, the kernel takes the flags in sysfs.
  const raise =
    'ip link set lo up 2>/dev/null || { mount -t sysfs sysfs /sys && echo 0x9 > /sys/class/net/lo/flags; }'
  const command = [...unshare, 'sh', '-c', `${raise} && exec "$@"`, 'far-side']
  const [program = '', ...args] = command
  if (spawnSync(program, [...args, 'true'], { stdio: 'ignore' }).status === 0) {
    return { command, network: 'a network with nothing but loopback' }
  }
  return { command: [], network: "this machine's network (it allows no network namespace)" }
}
