import { isIPv4, isIPv6 } from 'node:net'
import { failure } from './codes.ts'

/** An address and how many of its bits name its network: what `10.1.2.3/16` says. */
export interface Network {
  readonly family: 4 | 6
  /** The address, as a number of 32 or 128 bits. */
  readonly address: bigint
  readonly bits: number
}

/** Longest text of a network: an IPv6 address in full, a slash and three digits. */
const longest = 45

/** How many bits the addresses of a family have. */
export const addressBits = (family: 4 | 6): 32 | 128 => (family === 4 ? 32 : 128)

/** `10.1.2.3/16`, `fd00::1/64`; the host's bits are kept. @throws NETWORK_INVALID */
export function parseNetwork(text: string): Network {
  const slash = text.indexOf('/')
  const digits = text.slice(slash + 1)
  if (text.length > longest || slash < 0 || !/^(0|[1-9]\d{0,2})$/.test(digits)) throw invalid(text)
  const { family, address } = parseAddress(text.slice(0, slash))
  const bits = Number(digits)
  if (bits > addressBits(family)) throw invalid(text)
  return { family, address, bits }
}

/** One address without a length. IPv4 within IPv6 is refused: it would be another spelling. @throws NETWORK_INVALID */
export function parseAddress(text: string): { family: 4 | 6; address: bigint } {
  if (text.length > longest) throw invalid(text)
  if (isIPv4(text)) {
    const address = text.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n)
    return { family: 4, address }
  }
  if (!isIPv6(text) || text.includes('%') || text.includes('.')) throw invalid(text)
  const [head = '', tail] = text.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: tail === undefined ? 0 : 8 - before.length - after.length }, () => '0')
  const groups = [...before, ...zeros, ...after]
  const address = groups.reduce((sum, group) => sum * 65536n + BigInt(`0x${group}`), 0n)
  if (isMapped({ family: 6, address })) throw invalid(text)
  return { family: 6, address }
}

/** Whether an IPv6 address is IPv4 in disguise (`::ffff:0:0/96`, RFC 4291 section 2.5.5.2). */
export const isMapped = ({ family, address }: Pick<Network, 'family' | 'address'>): boolean =>
  family === 6 && address >> 32n === 0xffffn

/** The shortest spelling (RFC 5952). */
export function formatAddress({ family, address }: Pick<Network, 'family' | 'address'>): string {
  const hex = address.toString(16).padStart(family === 4 ? 8 : 32, '0')
  if (family === 4) return (hex.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)).join('.')
  const full = (hex.match(/..../g) ?? []).join(':')
  // The URL standard's way to write IPv6 is that of RFC 5952 for all that is not IPv4 in disguise.
  return new URL(`http://[${full}]`).hostname.slice(1, -1)
}

export const formatNetwork = (network: Network): string => `${formatAddress(network)}/${network.bits}`

/** Whether `inner` is this network or a part of it. */
export function contains(outer: Network, inner: Network): boolean {
  if (outer.family !== inner.family || outer.bits > inner.bits) return false
  const shift = BigInt(addressBits(outer.family) - outer.bits)
  return outer.address >> shift === inner.address >> shift
}

/** First and last address of the range that a network is. */
export function rangeOf({ family, address, bits }: Network): { first: bigint; last: bigint } {
  const shift = BigInt(addressBits(family) - bits)
  const first = (address >> shift) << shift
  return { first, last: first + (1n << shift) - 1n }
}

/** IPv4 before IPv6, then by address, then the wider first: the order in which Nebula sorts. */
export function compareNetworks(a: Network, b: Network): number {
  if (a.family !== b.family) return a.family - b.family
  if (a.address !== b.address) return a.address < b.address ? -1 : 1
  return a.bits - b.bits
}

const invalid = (text: string) =>
  failure('NETWORK_INVALID', `not an address with a prefix length: ${JSON.stringify(text.slice(0, 64))}`)
