import type { LayerDirectory, LayerFile, LayerSpec } from './spec.ts'

export interface SystemFilesOptions {
  /** A user of its own beside root and nobody, with a home that is made. */
  readonly user?: {
    readonly name: string
    readonly uid: number
    readonly gid: number
    readonly home?: string
  }
  /** A file of CA certificates on this machine, for instance /etc/ssl/certs/ca-certificates.crt. */
  readonly caCertificates?: string
}

/**
 * The few files that programs expect of a system, for images without a base: users and groups, "localhost", the
 * order in which names are looked up, /tmp, and CA certificates where they are given.
 *
 * glibc from 2.34 on resolves names with what is inside libc itself; an older one opens libnss_files.so.2 and
 * libnss_dns.so.2, which an executable then names as its `libraries`. Without /etc/hosts, "localhost" is asked of
 * a DNS server, so a program that connects to itself by that name needs this layer or an engine that brings one.
 */
export function systemFiles(options: SystemFilesOptions = {}): LayerSpec {
  const { user, caCertificates } = options
  const home = user?.home ?? '/'
  const passwd = [
    'root:x:0:0:root:/:/sbin/nologin',
    ...(user ? [`${user.name}:x:${user.uid}:${user.gid}:${user.name}:${home}:/sbin/nologin`] : []),
    'nobody:x:65534:65534:nobody:/:/sbin/nologin',
  ]
  const group = ['root:x:0:', ...(user ? [`${user.name}:x:${user.gid}:`] : []), 'nogroup:x:65534:']
  const files: LayerFile[] = [
    { to: '/etc/passwd', content: lines(passwd) },
    { to: '/etc/group', content: lines(group) },
    { to: '/etc/hosts', content: lines(['127.0.0.1 localhost', '::1 localhost ip6-localhost ip6-loopback']) },
    { to: '/etc/nsswitch.conf', content: lines(['passwd: files', 'group: files', 'hosts: files dns']) },
  ]
  if (caCertificates !== undefined) {
    files.push({ to: '/etc/ssl/certs/ca-certificates.crt', from: caCertificates, mode: 0o644 })
  }
  const directories: LayerDirectory[] = [{ path: '/tmp', mode: 0o1777 }]
  if (user && home !== '/') directories.push({ path: home, mode: 0o750, uid: user.uid, gid: user.gid })
  return { files, directories, comment: 'system files' }
}

const lines = (texts: readonly string[]): string => `${texts.join('\n')}\n`
