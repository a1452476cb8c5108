import { BlockList, isIP } from 'node:net'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** The part before the port, without the brackets of an IPv6 address. */
export function hostName(host: string): string {
  if (host.startsWith('[')) return host.slice(1, host.indexOf(']'))
  const colon = host.lastIndexOf(':')
  return colon < 0 ? host : host.slice(0, colon)
}

/** Whether `host` (HOST[:PORT]) is this machine by its very name: 127/8, ::1, localhost. No name is looked up. */
export function isLoopback(host: string): boolean {
  const name = hostName(host).toLowerCase()
  if (name === 'localhost' || name.endsWith('.localhost')) return true
  const family = isIP(name)
  return family !== 0 && loopback.check(name, family === 4 ? 'ipv4' : 'ipv6')
}

/** Where Docker Hub's registry really lives (distribution/reference calls it docker.io). */
export const apiHost = (registry: string): string =>
  registry === 'docker.io' ? 'registry-1.docker.io' : registry
