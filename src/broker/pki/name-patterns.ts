import { isFailure } from '#base/index.ts'
import { contains, formatAddress, type Network, parseAddress, parseNetwork } from '../leases/index.ts'
import { identityLabel } from './caller-names.ts'
import { failure } from './codes.ts'

const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
const place = '{identity}'

/**
 * A host name as certificates have it, in lower case: at most 253 characters, labels of letters, digits and hyphens,
 * no wildcard, and nothing that a reader could take for an address (WHATWG URL: the last label begins with a digit).
 *
 * @throws PKI_REQUEST_INVALID
 */
export function parseHostName(text: string): string {
  const name = text.length <= 253 ? text.toLowerCase() : ''
  const labels = name.split('.')
  const isGood =
    // Case beyond ASCII folds into ASCII (the Kelvin sign): that is another name, not another spelling.
    /^[A-Za-z0-9.-]+$/.test(text) &&
    labels.every((part) => label.test(part)) &&
    !/^\d/.test(labels.at(-1) ?? '')
  if (!isGood)
    throw invalid('what is asked for as a host name is none: there are no wildcards, and others as xn--...')
  return name
}

/** An address in its shortest spelling. @throws PKI_REQUEST_INVALID */
export function parseHostAddress(text: string): string {
  try {
    return formatAddress(parseAddress(text))
  } catch (error) {
    if (isFailure(error, 'NETWORK_INVALID')) throw invalid('what is asked for as an address is none')
    throw error
  }
}

/** Which host names a profile permits to an identity. */
export type HostPattern = (name: string, identity: string) => boolean

/**
 * `*` is one whole label, anything else is itself; `{identity}` is replaced by the caller's label. A label in Punycode
 * (`xn--`), which may look like any other name, is matched by itself alone and never by `*`.
 *
 * @throws PKI_CONFIGURATION_INVALID
 */
export function hostPattern(pattern: string): HostPattern {
  const parts = pattern.split('.')
  const sample = parts.map((part) => (part === '*' ? 'a' : part.replaceAll(place, 'a')))
  const isGood =
    pattern.length <= 253 && sample.every((part) => label.test(part)) && !/^\d/.test(sample.at(-1) ?? '')
  if (!isGood || parts.at(-1) === '*') {
    throw failure(
      'PKI_CONFIGURATION_INVALID',
      `${told(pattern)} is no pattern of host names: labels in lower case, a whole label * and {identity} within one`,
    )
  }
  return (name, identity) => {
    const labels = name.split('.')
    return labels.length === parts.length && parts.every((part, at) => matches(part, labels[at]!, identity))
  }
}

function matches(part: string, name: string, identity: string): boolean {
  if (part === '*') return label.test(name) && !name.startsWith('xn--')
  const isPlain = !part.includes(place)
  return isPlain
    ? part === name
    : part.replaceAll(place, identityLabel(identity)) === name && !name.startsWith('xn--')
}

/** An address, or a range of them. @throws PKI_CONFIGURATION_INVALID */
export function addressPattern(pattern: string): (address: string) => boolean {
  let range: Network
  try {
    range = pattern.includes('/') ? parseNetwork(pattern) : whole(parseAddress(pattern))
  } catch (error) {
    if (!isFailure(error, 'NETWORK_INVALID')) throw error
    throw failure('PKI_CONFIGURATION_INVALID', `${told(pattern)} is no address and no range of them`)
  }
  return (address) => contains(range, whole(parseAddress(address)))
}

const whole = (address: Pick<Network, 'family' | 'address'>): Network => ({
  ...address,
  bits: address.family === 4 ? 32 : 128,
})

const told = (text: string): string => JSON.stringify(text.slice(0, 64))

const invalid = (why: string) => failure('PKI_REQUEST_INVALID', why)
