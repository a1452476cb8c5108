import { accessSync, constants, globSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

/** Where test/peers/install.sh puts what it builds, and where the rootfs of the images is kept. */
export const peersCache =
  process.env.SEALIFT_PEERS ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'sealift-peers')

/** All that test/interop talks to: programs of Debian, and of the Go module proxy. */
export const peerNames = [
  'skopeo',
  'podman',
  'buildah',
  'umoci',
  'runc',
  'dockerd',
  'docker',
  'containerd',
  'ctr',
  'docker-registry',
  'debootstrap',
  'htpasswd',
  'openssl',
  'script',
  'pg_ctl',
  'tlog-peer',
  'syslog-peer',
  'spiffe-peer',
  'crane',
  'distribution',
  'conformance',
  'cosign',
  'opa',
  'fulcio',
  'timestamp-server',
  'rekor-server',
  'rekor-tiles',
  'trillian_log_server',
  'trillian_log_signer',
  'psql',
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kubectl',
  'unshare',
  'nebula-cert',
  'nebula-cert-1.6',
  'nebula',
  'nebula-1.6',
  'ip',
  'busybox',
] as const

export type Peer = (typeof peerNames)[number]

const folders = [
  join(peersCache, 'bin'),
  ...(process.env.PATH ?? '').split(delimiter),
  '/usr/sbin',
  '/sbin',
  // Debian keeps the server's programs of each version apart.
  ...globSync('/usr/lib/postgresql/*/bin'),
]

/** The path of a peer's program; undefined where it is not installed. */
export function findPeer(name: Peer): string | undefined {
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

/** The peers that are not installed here. */
export function missingPeers(): Peer[] {
  return peerNames.filter((name) => findPeer(name) === undefined)
}

/** Every peer has to be there: a missing one is an error, not a skip. */
export const everyPeerRequired = process.env.CI === 'true' || process.env.SEALIFT_INTEROP === 'all'

/**
 * What `test` takes as options: skipped by name where one of the peers is missing. Where every peer is required
 * nothing is skipped, and the test fails when it asks for the missing program.
 */
export function needs(...names: readonly Peer[]): { skip: string | false } {
  const missing = names.filter((name) => findPeer(name) === undefined)
  if (missing.length === 0 || everyPeerRequired) return { skip: false }
  return { skip: `NOT TESTED: ${missing.join(', ')} not installed (sh test/peers/install.sh)` }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
