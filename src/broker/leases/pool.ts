import { createHash } from 'node:crypto'
import { failure } from './codes.ts'
import { addressBits, contains, formatNetwork, type Network, rangeOf } from './network.ts'

export interface PoolTerms {
  /** What tells pools in one store apart: letters, digits and `-`. */
  readonly name: string
  readonly range: Network
  /** Addresses (with all their bits) and ranges in it that are never given. */
  readonly exclude?: readonly Network[]
}

/** Addresses that can be leased. */
export interface AddressPool {
  readonly name: string
  readonly range: Network
  /** How many addresses there are to give. */
  readonly size: bigint
  /** Whether the address is one that the pool may give. */
  has(address: bigint): boolean
  /**
   * At most `most` addresses in the order in which they are tried for a name: the same on every replica, and spread,
   * so that replicas that ask for different names seldom meet.
   */
  candidates(name: string, most: number): Generator<bigint>
}

/**
 * A pool. The first and the last address of an IPv4 range (network and broadcast), and the first of an IPv6 range
 * (RFC 4291 section 2.6.1, subnet-router anycast), are not given unless the range is too small to have them.
 *
 * @throws POOL_INVALID
 */
export function createPool({ name, range, exclude = [] }: PoolTerms, maxExclusions = 1024): AddressPool {
  if (!/^[A-Za-z0-9-]{1,64}$/.test(name)) throw failure('POOL_INVALID', 'a pool has no name that can be used')
  if (exclude.length > maxExclusions) {
    throw failure('POOL_INVALID', `the pool ${name} has more than ${maxExclusions} exclusions`)
  }
  const outside = exclude.find((network) => !contains(range, network))
  if (outside) {
    throw failure(
      'POOL_INVALID',
      `${formatNetwork(outside)} is excluded from the pool ${name}, and not in it`,
    )
  }
  const spans = remaining(range, exclude)
  const size = spans.reduce((sum, { first, last }) => sum + last - first + 1n, 0n)
  if (size === 0n) throw failure('POOL_INVALID', `the pool ${name} has no address to give`)
  return {
    name,
    range,
    size,
    has: (address) => spans.some(({ first, last }) => first <= address && address <= last),
    *candidates(of, most) {
      const hash = createHash('sha256').update(`${name}\0${of}`).digest('hex')
      const start = BigInt(`0x${hash}`) % size
      for (let i = 0n; i < size && i < BigInt(most); i++) yield nth(spans, (start + i) % size)
    },
  }
}

interface Span {
  readonly first: bigint
  readonly last: bigint
}

/** What of the range is left, in order and apart. */
function remaining(range: Network, exclude: readonly Network[]): Span[] {
  const whole = rangeOf(range)
  const hostBits = addressBits(range.family) - range.bits
  const reserved: Span[] = []
  if (hostBits >= 2) {
    reserved.push({ first: whole.first, last: whole.first })
    if (range.family === 4) reserved.push({ first: whole.last, last: whole.last })
  }
  const gaps = [...reserved, ...exclude.map(rangeOf)].sort((a, b) => (a.first < b.first ? -1 : 1))
  const spans: Span[] = []
  let at = whole.first
  for (const { first, last } of gaps) {
    if (first > at) spans.push({ first: at, last: first - 1n })
    if (last >= at) at = last + 1n
  }
  if (at <= whole.last) spans.push({ first: at, last: whole.last })
  return spans
}

function nth(spans: readonly Span[], index: bigint): bigint {
  let rest = index
  for (const { first, last } of spans) {
    const count = last - first + 1n
    if (rest < count) return first + rest
    rest -= count
  }
  throw new RangeError('the index lies behind the pool')
}
