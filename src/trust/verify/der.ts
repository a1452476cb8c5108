import { limits } from '#base/index.ts'
import { failure } from '../codes.ts'

/** One ASN.1 value in DER (X.690 chapter 10): views into the bytes it was read from, nothing copied. */
export interface Der {
  /** Identifier octet; numbers above 30 do not occur in what is read here. */
  readonly tag: number
  /** Identifier, length and value. */
  readonly bytes: Uint8Array
  readonly value: Uint8Array
}

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

/** A context-specific tag that holds further values. */
export const context = (number: number) => 0xa0 | number

export const malformed = (message: string, cause?: unknown) => failure('PROOF_MALFORMED', message, { cause })

/**
 * Exactly one value and nothing behind it. Bounded, as every two bytes can be a value and cost a hundred times that.
 *
 * @throws PROOF_MALFORMED, PROOF_TOO_LARGE
 */
export function parseDer(bytes: Uint8Array, maxBytes: number = limits.derBytes): Der {
  if (bytes.length > maxBytes) {
    throw failure('PROOF_TOO_LARGE', `${bytes.length} bytes of DER are over the limit of ${maxBytes}`)
  }
  const node = readDer(bytes, 0)
  if (node.bytes.length !== bytes.length) throw malformed('there are bytes behind the end of a DER value')
  return node
}

/** The values inside a constructed one. @throws PROOF_MALFORMED */
export function children(node: Der): Der[] {
  if ((node.tag & 0x20) === 0) throw malformed('a DER value that should hold others does not')
  const found: Der[] = []
  for (let at = 0; at < node.value.length; ) {
    const child = readDer(node.value, at)
    found.push(child)
    at += child.bytes.length
  }
  return found
}

/** `node` if it is there and has this tag. @throws PROOF_MALFORMED */
export function expectTag(node: Der | undefined, tag: number, what: string): Der {
  if (node?.tag !== tag) throw malformed(`${what} is missing or of another type`)
  return node
}

/** Definite, minimal lengths only: one encoding of one value, so that two readers cannot differ. */
function readDer(from: Uint8Array, start: number): Der {
  const tag = from[start]
  let length = from[start + 1]
  if (tag === undefined || length === undefined || (tag & 0x1f) === 0x1f)
    throw malformed('a DER value is cut off')
  let at = start + 2
  if (length >= 0x80) {
    const count = length & 0x7f
    if (count === 0 || count > 4) throw malformed('a DER value has a length of a forbidden form')
    length = 0
    for (let i = 0; i < count; i++) length = length * 256 + (from[at++] ?? Number.NaN)
    if (!(length >= 0x80) || length < 256 ** (count - 1)) throw malformed('a DER length is not minimal')
  }
  const end = at + length
  if (end > from.length) throw malformed('a DER value is cut off')
  return { tag, bytes: from.subarray(start, end), value: from.subarray(at, end) }
}

/** Lower-case hex of an object identifier's content octets: what identifiers are compared by. */
export function oidHex(node: Der | undefined): string {
  return hex(expectTag(node, tags.oid, 'an object identifier').value)
}

/** UTCTime and GeneralizedTime in the one form that RFC 5280 section 4.1.2.5 allows (fractions as in RFC 3161). Milliseconds. */
export function derTime(node: Der | undefined): number {
  const text = node
    ? Buffer.from(node.value.buffer, node.value.byteOffset, node.value.length).toString('latin1')
    : ''
  const pattern =
    node?.tag === tags.utcTime
      ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)()Z$/
      : node?.tag === tags.generalizedTime
        ? /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\.\d{1,9})?Z$/
        : undefined
  const match = pattern?.exec(text)
  if (!match) throw malformed('a time in DER is not of the allowed form')
  const [, years, months, days, hours, minutes, seconds, fraction] = match
  const short = Number(years)
  const year = years!.length === 4 ? short : short < 50 ? 2000 + short : 1900 + short
  const time = Date.UTC(
    year,
    Number(months) - 1,
    Number(days),
    Number(hours),
    Number(minutes),
    Number(seconds),
  )
  const check = new Date(time)
  if (check.getUTCMonth() !== Number(months) - 1 || check.getUTCDate() !== Number(days))
    throw malformed('a time in DER does not exist')
  return time + Math.floor(Number(fraction ?? 0) * 1000)
}

export const hex = (bytes: Uint8Array) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')

/** A small whole number. @throws PROOF_MALFORMED */
export function derInteger(node: Der | undefined, what: string): number {
  const { value } = expectTag(node, tags.integer, what)
  if (value.length === 0 || value.length > 6 || value[0]! >= 0x80) throw malformed(`${what} is out of range`)
  return value.reduce((sum, byte) => sum * 256 + byte, 0)
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Text without control characters: it is going to be compared and shown. @throws PROOF_MALFORMED */
export function plainText(bytes: Uint8Array, what: string): string {
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch (cause) {
    throw malformed(`${what} is not UTF-8`, cause)
  }
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) throw malformed(`${what} holds a control character`)
  }
  return text
}

/** Padded standard base64 and nothing beside it: one text for one sequence of bytes. @throws PROOF_MALFORMED */
export function base64(text: string, what: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text) throw malformed(`${what} is not whole base64`)
  return bytes
}
