import { keptCapabilities, maskedPaths, readOnlyPaths } from '../capabilities.ts'
import { mountPoint } from '../mount-point.ts'
import type { Launch } from '../options.ts'
import type { NamespaceTools } from './detect.ts'
import { starter } from './starter.ts'

/**
 * Runs in the new mount namespace, before anything of the image does. Everything comes in as arguments: nothing of
 * a bundle becomes part of the program. The root file system is moved over the old root, as switch_root does, so
 * that not even a walk upwards out of a changed root finds the machine's files again.
 *
 * `mount -n` writes no record of its own (/run/mount/utab), which only root may.
 *
 * A mount that is read only is so alone, not what is mounted below its source, so that is left out. In a user
 * namespace the flags of the source must be kept, and may be any of those tried.
 *
 * What is mounted below the fresh /dev and /tmp finds no place there, and one is made; everywhere else the caller
 * made it before.
 */
const program = `
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
note=$1 root=$2 proc=$3 dev=$4 tmp=$5
shift 5
readlink "/proc/$$/ns/mnt" > "$note"
mount -n --bind "$root" "$root"
mount -n --rbind /proc "$root$proc"
for name in ${readOnlyPaths.join(' ')}; do
  if [ -e "/proc/$name" ]; then
    mount -n --bind "/proc/$name" "$root$proc/$name"
    mount -n -o remount,bind,ro,nosuid,nodev,noexec "$root$proc/$name"
  fi
done
for name in ${maskedPaths.join(' ')}; do
  if [ -f "/proc/$name" ]; then mount -n --bind /dev/null "$root$proc/$name"; fi
done
mount -n -t tmpfs -o mode=755,nosuid tmpfs "$root$dev"
for name in null zero full random urandom tty; do
  : > "$root$dev/$name"
  mount -n --bind "/dev/$name" "$root$dev/$name"
done
ln -s /proc/self/fd "$root$dev/fd"
ln -s /proc/self/fd/0 "$root$dev/stdin"
ln -s /proc/self/fd/1 "$root$dev/stdout"
ln -s /proc/self/fd/2 "$root$dev/stderr"
mkdir -m 1777 "$root$dev/shm"
mount -n -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root$tmp"
while [ "$1" != -- ]; do
  case "$2" in "$dev"/*|"$tmp"/*)
    if [ -d "$1" ]; then mkdir -p "$root$2"; else mkdir -p "$root\${2%/*}"; : >> "$root$2"; fi
  esac
  if [ "$3" = ro ]; then
    mount -n --bind "$1" "$root$2"
    mount -n -o remount,bind,ro "$root$2" 2>/dev/null ||
      mount -n -o remount,bind,ro,nosuid,nodev "$root$2" 2>/dev/null ||
      mount -n -o remount,bind,ro,nosuid,nodev,noexec "$root$2"
  else
    mount -n --rbind "$1" "$root$2"
  fi
  shift 3
done
shift
cd "$root"
mount -n --move . /
: > "$note.launched"
exec "$@"
`

export interface LaunchCommand {
  readonly command: string
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

/** The whole command that becomes the run tool: its process number stays the one that was started. */
export async function launchCommand(
  launch: Launch,
  note: string,
  tools: NamespaceTools,
): Promise<LaunchCommand> {
  const { rootfs, user, workingDirectory } = launch
  const [proc, dev, tmp] = ['/proc', '/dev', '/tmp'].map((path) => mountPoint(rootfs, path, 'directory'))
  const last = await starter(tools.sh, `${dev}/.sealift`, launch.environment)
  const bounding = ['-all', ...keptCapabilities.map((name) => `+${name.toLowerCase()}`)].join(',')
  // Root inside a user namespace of one user can be nobody else.
  const identity =
    user.uid === 0 && user.gid === 0 ? [] : ['--setgid', String(user.gid), '--setuid', String(user.uid)]
  const unshared = tools.rootless ? ['--user', '--map-root-user', '--mount'] : ['--mount']
  return {
    command: tools.unshare,
    args: [
      ...[...unshared, '--propagation', 'private', '--', tools.sh, '-c', program, 'sealift'],
      ...([note, rootfs, proc, dev, tmp] as string[]),
      ...[...launch.mounts, ...last.mounts].flatMap(({ from, to, readOnly }) => [
        from,
        to,
        readOnly ? 'ro' : 'rw',
      ]),
      '--',
      ...[tools.setpriv, '--no-new-privs', `--bounding-set=${bounding}`, '--inh-caps=-all', '--'],
      ...[tools.unshare, '--root=.', `--wd=${workingDirectory}`, ...identity, '--'],
      ...last.args,
    ],
    environment: last.environment,
  }
}
