import { isIPv4, isIPv6 } from 'node:net'
import { failure } from '../codes.ts'
import { contextString } from './der.ts'
import { type DerValue, NotDer } from './der-reader.ts'

/** Who a certificate is for (RFC 5280 section 4.2.1.6). */
export interface AlternativeNames {
  /** Lower case; a first label `*` stands for any one label. */
  readonly dnsNames?: readonly string[]
  readonly ipAddresses?: readonly string[]
  readonly uris?: readonly string[]
  readonly emails?: readonly string[]
}

const kinds = { email: 1, dnsName: 2, uri: 6, ipAddress: 7 } as const

/** GeneralNames, each checked. @throws CERTIFICATE_TERMS_INVALID */
export function encodeNames(names: AlternativeNames): Buffer[] {
  const { dnsNames = [], ipAddresses = [], uris = [], emails = [] } = names
  return [
    ...dnsNames.map((name) => text(kinds.dnsName, name, isDnsName(name))),
    ...ipAddresses.map((address) => contextString(kinds.ipAddress, addressBytes(address))),
    ...uris.map((uri) => text(kinds.uri, uri, isUri(uri))),
    ...emails.map((email) => text(kinds.email, email, isEmail(email))),
  ]
}

/** GeneralNames of places on the web where something is. @throws CERTIFICATE_TERMS_INVALID */
export const encodePlaces = (urls: readonly string[]): Buffer[] =>
  urls.map((url) => text(kinds.uri, url, isUri(url) && /^https?:/.test(url)))

/** GeneralNames that a request or a constraint holds, not checked further. @throws NotDer for other kinds */
export function decodeNames(values: readonly DerValue[]): Required<AlternativeNames> {
  const of = (kind: number) => values.filter(({ tag }) => tag === (0x80 | kind)).map(({ content }) => content)
  const texts = (kind: number) => of(kind).map(asciiOf)
  const known: readonly number[] = Object.values(kinds).map((kind) => 0x80 | kind)
  if (values.some(({ tag }) => !known.includes(tag)))
    throw new NotDer('a name is of a kind that is not known here')
  return {
    dnsNames: texts(kinds.dnsName),
    ipAddresses: of(kinds.ipAddress).map(addressText),
    uris: texts(kinds.uri),
    emails: texts(kinds.email),
  }
}

export function asciiOf(bytes: Uint8Array): string {
  // A zero byte in a name was how certificates for others' names were got.
  if (bytes.some((byte) => byte < 0x20 || byte > 0x7e))
    throw new NotDer('a name has characters that are not ASCII')
  return Buffer.from(bytes).toString('latin1')
}

function text(kind: number, name: string, isGood: boolean): Buffer {
  if (!isGood) throw failure('CERTIFICATE_TERMS_INVALID', `${JSON.stringify(name)} is not a name of its kind`)
  return contextString(kind, Buffer.from(name, 'latin1'))
}

const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

/** A host name in lower case; `*` alone may stand for the first of at least three labels. */
export function isDnsName(name: string): boolean {
  if (name.length > 253 || isIPv4(name)) return false
  const labels = name.split('.')
  const plain = labels[0] === '*' && labels.length >= 3 ? labels.slice(1) : labels
  return plain.every((part) => label.test(part))
}

function isUri(uri: string): boolean {
  return uri.length <= 2048 && /^[!-~]+$/.test(uri) && URL.canParse(uri) && /^[a-z][a-z0-9+.-]*:/.test(uri)
}

function isEmail(email: string): boolean {
  const at = email.lastIndexOf('@')
  return (
    at > 0 &&
    at <= 64 &&
    /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+$/.test(email.slice(0, at)) &&
    isDnsName(email.slice(at + 1))
  )
}

/** Four or sixteen bytes. @throws CERTIFICATE_TERMS_INVALID */
export function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number))
  if (isIPv6(address) && !address.includes('%')) return groupsOf(address)
  throw failure('CERTIFICATE_TERMS_INVALID', `${JSON.stringify(address)} is not an IP address`)
}

function groupsOf(address: string): Buffer {
  // The URL parser writes the last four bytes in hexadecimal too, where they were given as an IPv4 address.
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [head = '', tail] = canonical.split('::')
  const groups = (text: string) =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16))
  const [before, after] = [groups(head), groups(tail ?? '')]
  const all = [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after]
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 255]))
}

/** An address, or an address and a mask as constraints have them, as text. */
function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.length !== 16) throw new NotDer('an IP address has neither 4 nor 16 bytes')
  const groups = Array.from({ length: 8 }, (_, at) =>
    ((bytes[2 * at]! << 8) | bytes[2 * at + 1]!).toString(16),
  )
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}
