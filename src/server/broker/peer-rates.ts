import { isIPv6 } from 'node:net'
import { Lru } from '#base/index.ts'

export interface RateTerms {
  /** 0: no limit. */
  readonly perSecond: number
  readonly burst: number
  readonly peers: number
}

/** How often each peer asks: a bucket of tokens for each, which fills at a steady rate. */
export class PeerRates {
  readonly #buckets: Lru<string, { tokens: number; at: number }>
  readonly #terms: RateTerms
  readonly #now: () => number

  /** @param now milliseconds of a clock that never goes back */
  constructor(terms: RateTerms, now: () => number = () => performance.now()) {
    this.#terms = terms
    this.#buckets = new Lru(terms.peers)
    this.#now = now
  }

  /** Takes one token. @returns 0, or for how many seconds there is none */
  take(peer: string): number {
    const { perSecond, burst } = this.#terms
    if (perSecond <= 0) return 0
    const now = this.#now()
    const bucket = this.#buckets.get(peer)
    if (!bucket) {
      this.#buckets.set(peer, { tokens: burst - 1, at: now })
      return 0
    }
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * perSecond)
    bucket.at = now
    if (bucket.tokens < 1) return Math.ceil((1 - bucket.tokens) / perSecond)
    bucket.tokens -= 1
    return 0
  }

  /** Gives back what was taken for something that does not count after all. */
  giveBack(peer: string): void {
    const bucket = this.#buckets.peek(peer)
    if (bucket) bucket.tokens = Math.min(this.#terms.burst, bucket.tokens + 1)
  }
}

/** Whom a rate is of: an IPv4 address, or the /64 of an IPv6 one, within which one host has any number of addresses. */
export function peerOf(address: string): string {
  if (!isIPv6(address)) return address
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  const [head = '', tail] = address.replace(/%.*$/, '').split('::')
  const front = head === '' ? [] : head.split(':')
  const back = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros =
    tail === undefined ? [] : new Array<string>(Math.max(0, 8 - front.length - back.length)).fill('0')
  return `${[...front, ...zeros, ...back]
    .slice(0, 4)
    .map((part) => part.toLowerCase().replace(/^0+(?=.)/, ''))
    .join(':')}::/64`
}
