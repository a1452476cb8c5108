import type { Json } from '#base/index.ts'
import { keptCapabilities, maskedPaths, readOnlyPaths } from '../capabilities.ts'
import type { Launch } from '../options.ts'
import { runTool } from '../prepare.ts'

/** What a run may take of the machine; needs cgroups. */
export interface ResourceLimits {
  readonly memoryBytes?: number
  /** How much of one processor, 1.5 for one and a half. */
  readonly cpus?: number
  readonly processes?: number
}

export interface RuntimeConfigOptions {
  /** Whether the run tool has the machine's network, as it must to reach a registry on loopback. */
  readonly hostNetwork: boolean
  readonly resources?: ResourceLimits
  /** The user and group of this process where it is not root: they become root inside. */
  readonly rootless?: { readonly uid: number; readonly gid: number } | undefined
}

/** config.json of the OCI runtime spec (config.md, config-linux.md), 1.0.2 so that runc 1.1 and crun take it. */
export function runtimeConfig(
  launch: Launch,
  options: RuntimeConfigOptions,
  args: string[] = [runTool],
): Json {
  const { hostNetwork, rootless, resources } = options
  const capabilities = keptCapabilities.map((name) => `CAP_${name}`)
  const { uid, gid } = launch.user
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid, gid },
      args,
      env: Object.entries(launch.environment).map(([name, value]) => `${name}=${value}`),
      cwd: launch.workingDirectory,
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      noNewPrivileges: true,
    },
    root: { path: launch.rootfs, readonly: false },
    hostname: 'sealift',
    mounts: [
      ...systemMounts(rootless !== undefined),
      ...launch.mounts.map(({ from, to, readOnly }) => ({
        destination: to,
        type: 'bind',
        source: from,
        // What is mounted below would stay writable, so it is left out where it must not be.
        options: readOnly ? ['bind', 'ro'] : ['rbind', 'rw'],
      })),
    ],
    linux: {
      namespaces: [
        ...['pid', 'mount', 'ipc', 'uts'],
        ...(hostNetwork ? [] : ['network']),
        ...(rootless ? ['user'] : []),
      ].map((type) => ({ type })),
      ...(rootless && {
        uidMappings: [{ containerID: 0, hostID: rootless.uid, size: 1 }],
        gidMappings: [{ containerID: 0, hostID: rootless.gid, size: 1 }],
      }),
      ...(resources && { resources: resourcesOf(resources) }),
      maskedPaths: [...maskedPaths.map((name) => `/proc/${name}`), '/sys/firmware'],
      readonlyPaths: readOnlyPaths.map((name) => `/proc/${name}`),
    },
  }
}

function systemMounts(isRootless: boolean): Json[] {
  const mount = (destination: string, type: string, ...options: string[]): Json => ({
    destination,
    type,
    source: type,
    options,
  })
  return [
    mount('/proc', 'proc', 'nosuid', 'noexec', 'nodev'),
    mount('/dev', 'tmpfs', 'nosuid', 'strictatime', 'mode=755', 'size=65536k'),
    mount(
      '/dev/pts',
      'devpts',
      'nosuid',
      'noexec',
      'newinstance',
      'ptmxmode=0666',
      'mode=0620',
      ...(isRootless ? [] : ['gid=5']),
    ),
    mount('/dev/shm', 'tmpfs', 'nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'),
    mount('/dev/mqueue', 'mqueue', 'nosuid', 'noexec', 'nodev'),
    // As in the other driver; with its own /sys a container would need a network namespace of its own.
    mount('/tmp', 'tmpfs', 'nosuid', 'nodev', 'mode=1777'),
  ]
}

function resourcesOf({ memoryBytes, cpus, processes }: ResourceLimits): { [key: string]: Json } {
  return {
    ...(memoryBytes !== undefined && { memory: { limit: memoryBytes } }),
    ...(cpus !== undefined && { cpu: { quota: Math.round(cpus * 100_000), period: 100_000 } }),
    ...(processes !== undefined && { pids: { limit: processes } }),
  }
}
