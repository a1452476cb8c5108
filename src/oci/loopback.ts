import { isIP } from 'node:net'

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
  // Asked for each request, where a BlockList would be slow.
  if (isIP(name) === 4) return name.startsWith('127.')
  return isIP(name) === 6 && (name === '::1' || /^(?:0{1,4}:){7}0{0,3}1$/.test(name))
}
