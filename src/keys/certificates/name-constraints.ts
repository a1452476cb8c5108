import { isIP } from 'node:net'
import { failure } from '../codes.ts'
import { type AlternativeNames, addressBytes, asciiOf, isDnsName } from './alternative-names.ts'
import { context, contextString, sequence } from './der.ts'
import { NotDer, readAll, readDer, readSequence } from './der-reader.ts'

/**
 * The names for which an authority may issue, and those below it (RFC 5280 section 4.2.1.10). A kind that is not
 * named is not constrained, nor are URIs and addresses of mail.
 */
export interface NameConstraints {
  /** `shop.example` permits it and all below it. */
  readonly dnsNames?: readonly string[]
  /** `10.0.0.0/8`. */
  readonly ipRanges?: readonly string[]
}

/** The value of the extension. @throws CERTIFICATE_TERMS_INVALID */
export function encodeConstraints({ dnsNames = [], ipRanges = [] }: NameConstraints): Buffer {
  const subtrees = [
    ...dnsNames.map((name) => {
      if (!isDnsName(name) || name.startsWith('*')) {
        throw failure('CERTIFICATE_TERMS_INVALID', `${JSON.stringify(name)} is no domain to permit`)
      }
      return contextString(2, Buffer.from(name, 'latin1'))
    }),
    ...ipRanges.map((range) => contextString(7, Buffer.concat(Object.values(parseRange(range))))),
  ]
  if (subtrees.length === 0)
    throw failure('CERTIFICATE_TERMS_INVALID', 'constraints that permit nothing are none')
  return sequence(context(0, ...subtrees.map((base) => sequence(base))))
}

/** @throws NotDer for constraints that are not known here, which must not be passed over */
export function decodeConstraints(bytes: Uint8Array): NameConstraints {
  const [permitted, ...others] = readSequence(readDer(bytes))
  if (permitted?.tag !== 0xa0 || others.length > 0) throw new NotDer('only permitted names are known here')
  const dnsNames: string[] = []
  const ipRanges: string[] = []
  for (const subtree of readAll(permitted.content)) {
    const [base, ...rest] = readSequence(subtree)
    if (base?.tag === 0x82 && rest.length === 0) dnsNames.push(asciiOf(base.content))
    else if (base?.tag === 0x87 && rest.length === 0) ipRanges.push(rangeText(base.content))
    else throw new NotDer('a constraint is of a kind that is not known here')
  }
  return { ...(dnsNames.length > 0 && { dnsNames }), ...(ipRanges.length > 0 && { ipRanges }) }
}

/** @throws CERTIFICATE_TERMS_INVALID where a name is not permitted */
export function checkConstraints(
  { dnsNames: domains, ipRanges }: NameConstraints,
  names: AlternativeNames,
): void {
  const outside = [
    ...(domains
      ? (names.dnsNames ?? []).filter((name) => !domains.some((domain) => isWithin(name, domain)))
      : []),
    ...(ipRanges
      ? (names.ipAddresses ?? []).filter((address) => !ipRanges.some((range) => contains(range, address)))
      : []),
  ]
  if (outside.length > 0) {
    throw failure('CERTIFICATE_TERMS_INVALID', `the authority may not issue for ${outside.join(', ')}`)
  }
}

const isWithin = (name: string, domain: string) => name === domain || name.endsWith(`.${domain}`)

function parseRange(range: string): { address: Buffer; mask: Buffer } {
  const [text = '', bits = '', ...more] = range.split('/')
  const isGood = isIP(text) && /^\d{1,3}$/.test(bits) && more.length === 0
  const address = isGood ? addressBytes(text) : Buffer.alloc(0)
  const prefix = Number(bits)
  if (!isGood || prefix > address.length * 8) {
    throw failure('CERTIFICATE_TERMS_INVALID', `${JSON.stringify(range)} is not a range of addresses`)
  }
  const mask = Buffer.from(
    address.map((_, at) => (0xff00 >> Math.min(8, Math.max(0, prefix - 8 * at))) & 0xff),
  )
  return { address: Buffer.from(address.map((byte, at) => byte & mask[at]!)), mask }
}

function contains(range: string, address: string): boolean {
  const { address: network, mask } = parseRange(range)
  const bytes = addressBytes(address)
  return bytes.length === network.length && bytes.every((byte, at) => (byte & mask[at]!) === network[at])
}

function rangeText(bytes: Uint8Array): string {
  const half = bytes.length / 2
  if (half !== 4 && half !== 16) throw new NotDer('a range of addresses has neither 8 nor 32 bytes')
  const [address, mask] = [bytes.subarray(0, half), bytes.subarray(half)]
  const bits = Array.from(mask, (byte) => byte.toString(2).padStart(8, '0')).join('')
  const prefix = bits.indexOf('0') < 0 ? bits.length : bits.indexOf('0')
  if (bits.includes('1', prefix)) throw new NotDer('the mask of a range has holes')
  const groups = Array.from({ length: 8 }, (_, at) =>
    ((address[2 * at]! << 8) | address[2 * at + 1]!).toString(16),
  )
  return `${half === 4 ? address.join('.') : groups.join(':')}/${prefix}`
}
