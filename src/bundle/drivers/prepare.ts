import { chmodSync, chownSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileSystemFailure } from '#base/index.ts'
import { type Execution, hostArchitecture, selectImage, unpackImage } from '#image/index.ts'
import { outputsDirectory } from '../bundle-rules.ts'
import { failure } from '../codes.ts'
import type { Operation } from '../runtime/operation.ts'
import { containerUser } from './container-user.ts'
import { fileIn, mountPoint } from './mount-point.ts'
import type { BindMount, ContainerUser, Launch, LocalDriverOptions } from './options.ts'
import { openVolume } from './volume.ts'
import type { WorkFolder } from './work-folder.ts'

/** 102: what is executed. */
export const runTool = '/cnab/app/run'
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
/** How the run tool finds hosts on a network that it shares with this machine. */
const networkFiles = ['/etc/hosts', '/etc/resolv.conf']

/**
 * Unpacks the invocation image and puts everything in its place: the contract's files, the folder for outputs,
 * the operator's volumes.
 *
 * @throws the codes of `selectImage` and `unpackImage`, ROOTFS_HOSTILE, OPERATION_INVALID, VOLUME_INVALID,
 * DRIVER_FAILED, FILE_SYSTEM, DISK_FULL
 */
export async function prepareLaunch(
  operation: Operation,
  folder: WorkFolder,
  options: LocalDriverOptions & { readonly sharesNetwork: boolean },
  signal: AbortSignal,
): Promise<Launch> {
  const { platform = { os: 'linux', architecture: hostArchitecture() }, onProgress } = options
  const { source, root } = operation.image
  const image = await selectImage(source, root, platform, { signal })
  await unpackImage(source, image, folder.rootfs, { signal, ...(onProgress && { onProgress }) })
  if (!fileIn(folder.rootfs, runTool))
    throw failure('DRIVER_FAILED', `the invocation image has no ${runTool}`)
  const { execution } = image.config
  const user = containerUser(folder.rootfs, execution.user)
  try {
    const own = [
      ...(options.sharesNetwork ? networkMounts(folder.rootfs) : []),
      ...stagedFiles(operation, folder, user),
      outputsMount(folder, user),
    ]
    const volumes = volumeMounts(folder.rootfs, options)
    checkVolumes(volumes, own)
    const mounts = unique([...own, ...volumes])
    return {
      rootfs: folder.rootfs,
      mounts,
      environment: environmentOf(execution, operation, user.home),
      user,
      workingDirectory: workingDirectory(folder.rootfs, execution.workingDir),
    }
  } catch (error) {
    throw error instanceof Error && 'errno' in error ? fileSystemFailure(folder.path, error) : error
  }
}

function stagedFiles(operation: Operation, folder: WorkFolder, user: ContainerUser): BindMount[] {
  return [...operation.files].map(([path, bytes], at): BindMount => {
    const from = join(folder.stage, String(at))
    // The folder around it keeps others on this machine out; inside, whoever the run tool is may read and change
    // its copy, and the source of a credential is never touched.
    writeFileSync(from, bytes, { mode: 0o600, flag: 'wx' })
    if (user.uid !== 0 && process.getuid?.() === 0) chownSync(from, user.uid, user.gid)
    return { from, to: mountPoint(folder.rootfs, path, 'file'), readOnly: false }
  })
}

function outputsMount(folder: WorkFolder, user: ContainerUser): BindMount {
  if (user.uid !== 0 && process.getuid?.() === 0) chownSync(folder.outputs, user.uid, user.gid)
  chmodSync(folder.outputs, 0o755)
  return {
    from: folder.outputs,
    to: mountPoint(folder.rootfs, outputsDirectory, 'directory'),
    readOnly: false,
  }
}

function networkMounts(rootfs: string): BindMount[] {
  return networkFiles
    .filter((path) => existsSync(path))
    .map((path) => ({ from: path, to: mountPoint(rootfs, path, 'file'), readOnly: true }))
}

function volumeMounts(rootfs: string, { volumes = [] }: LocalDriverOptions): BindMount[] {
  return volumes.map(openVolume).map(({ from, to, readOnly, isDirectory }) => ({
    from,
    to: mountPoint(rootfs, to, isDirectory ? 'directory' : 'file'),
    readOnly,
  }))
}

/**
 * Nothing is put into a volume: what is in there was written by whoever had it before, links included, and leads
 * anywhere on this machine.
 */
function checkVolumes(volumes: readonly BindMount[], own: readonly BindMount[]): void {
  for (const { to } of volumes) {
    const inside = [...own, ...volumes].find((mount) => mount.to.startsWith(`${to}/`))
    if (inside) throw failure('VOLUME_INVALID', `${inside.to} would be put into the volume at ${to}`)
  }
}

/** What is mounted at one place twice is seen only once: the last. */
const unique = (mounts: readonly BindMount[]): BindMount[] => [
  ...new Map(mounts.map((mount) => [mount.to, mount])).values(),
]

/** Nothing of this machine's environment: the image's own, and over it the contract's (103). */
function environmentOf({ env }: Execution, operation: Operation, home: string): Record<string, string> {
  const own = env.flatMap((line): [string, string][] => {
    const at = line.indexOf('=')
    return at > 0 ? [[line.slice(0, at), line.slice(at + 1)]] : []
  })
  return { PATH: defaultPath, HOME: home, ...Object.fromEntries(own), ...operation.environment }
}

function workingDirectory(rootfs: string, path: string): string {
  if (path === '' || path === '/') return '/'
  if (!path.startsWith('/'))
    throw failure('DRIVER_FAILED', 'the working directory of the image is not absolute')
  return mountPoint(rootfs, path, 'directory')
}
