import { tags } from './der.ts'

/** Bytes are not the DER that was expected; whoever reads them says which document it was. */
export class NotDer extends Error {}

/** One value of a DER document. */
export interface DerValue {
  readonly tag: number
  /** What it holds. */
  readonly content: Uint8Array
  /** With its tag and length: what a signature covers. */
  readonly whole: Uint8Array
}

/** The one value that these bytes are. Strict: definite, shortest lengths, nothing behind. @throws NotDer */
export function readDer(bytes: Uint8Array, tag?: number): DerValue {
  const value = readAt(bytes, 0)
  if (value.whole.length !== bytes.length) throw new NotDer('there are bytes behind the value')
  return expectTag(value, tag)
}

/** The values inside a sequence or set, one level deep. @throws NotDer */
export function readAll(content: Uint8Array): DerValue[] {
  const values: DerValue[] = []
  for (let at = 0; at < content.length; ) {
    const value = readAt(content, at)
    values.push(value)
    at += value.whole.length
  }
  return values
}

/** The members of a sequence. @throws NotDer where it is none */
export const readSequence = (value: DerValue | undefined): DerValue[] =>
  readAll(expectTag(value, tags.sequence).content)

/** The value, where it has this tag. @throws NotDer */
export function expectTag(value: DerValue | undefined, tag: number | undefined): DerValue {
  if (!value || (tag !== undefined && value.tag !== tag))
    throw new NotDer('a value is missing, or another one')
  return value
}

function readAt(bytes: Uint8Array, start: number): DerValue {
  const tag = bytes[start]
  const first = bytes[start + 1]
  if (tag === undefined || first === undefined) throw new NotDer('the value is cut off')
  // Tags above 30 take more bytes; nothing here has such a one.
  if ((tag & 0x1f) === 0x1f) throw new NotDer('a tag is of the long form')
  let at = start + 2
  let length = first
  if (first >= 0x80) {
    const count = first & 0x7f
    if (count < 1 || count > 4) throw new NotDer('a length is indefinite or too large')
    length = 0
    for (let i = 0; i < count; i++) length = length * 256 + (bytes[at++] ?? 0)
    if (length < 0x80 || length < 256 ** (count - 1)) throw new NotDer('a length is not in its shortest form')
  }
  if (at + length > bytes.length) throw new NotDer('the value is cut off')
  return { tag, content: bytes.subarray(at, at + length), whole: bytes.subarray(start, at + length) }
}

/** @throws NotDer */
export function readOid(value: DerValue | undefined): string {
  const { content } = expectTag(value, tags.oid)
  const numbers: number[] = []
  let number = 0
  for (const [at, byte] of content.entries()) {
    if (number === 0 && byte === 0x80) throw new NotDer('an object identifier is not in its shortest form')
    number = number * 128 + (byte & 0x7f)
    if (number > Number.MAX_SAFE_INTEGER / 128) throw new NotDer('an object identifier is too long')
    if (byte >= 0x80) {
      if (at === content.length - 1) throw new NotDer('an object identifier is cut off')
      continue
    }
    numbers.push(number)
    number = 0
  }
  const [first, ...rest] = numbers
  if (first === undefined) throw new NotDer('an object identifier is empty')
  const top = Math.min(2, Math.floor(first / 40))
  return [top, first - top * 40, ...rest].join('.')
}

/** The bytes of a bit string whose bits fill them. @throws NotDer */
export function readBitString(value: DerValue | undefined): Uint8Array {
  const { content } = expectTag(value, tags.bitString)
  if (content[0] !== 0) throw new NotDer('a bit string does not fill its bytes')
  return content.subarray(1)
}

/** A number from 0 to 2^31 - 1. @throws NotDer */
export function readSmallInteger(value: DerValue | undefined): number {
  const { content } = expectTag(value, tags.integer)
  if (content.length < 1 || content.length > 4 || content[0]! >= 0x80)
    throw new NotDer('a number is out of range')
  if (content.length > 1 && content[0] === 0 && content[1]! < 0x80)
    throw new NotDer('a number is not in its shortest form')
  return content.reduce((sum, byte) => sum * 256 + byte, 0)
}
