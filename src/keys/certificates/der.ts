// Writing DER (ITU-T X.690), as far as certificates need it.

/** Universal tags (X.680 section 8.4), constructed where they always are. */
export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
} as const

/** One value: its tag, its length in the shortest form, and what it holds. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  return Buffer.concat([Buffer.from([tag, ...lengthOf(length)]), ...parts])
}

function lengthOf(length: number): number[] {
  if (length < 0x80) return [length]
  const bytes: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256)
  return [0x80 | bytes.length, ...bytes]
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => der(tags.sequence, ...parts)

/** A context-specific tag: `[number]`, with values inside where it is explicit or a sequence. */
export const context = (number: number, ...parts: readonly Uint8Array[]): Buffer =>
  der(0xa0 | number, ...parts)

/** A context-specific tag around a string: `[number] IMPLICIT`. */
export const contextString = (number: number, bytes: Uint8Array): Buffer => der(0x80 | number, bytes)

export const boolean = (value: boolean): Buffer => der(tags.boolean, Buffer.from([value ? 0xff : 0]))

/** A number that is not negative, from its bytes, the highest first. */
export function integer(bytes: Uint8Array): Buffer {
  let at = 0
  while (at < bytes.length - 1 && bytes[at] === 0) at++
  const shortest = bytes.subarray(at)
  const isHigh = (shortest[0] ?? 0) >= 0x80
  return der(tags.integer, Buffer.from(isHigh || shortest.length === 0 ? [0] : []), shortest)
}

/** A whole number below 2^32. */
export function smallInteger(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return integer(bytes)
}

export function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  return der(tags.oid, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]))
}

function base128(value: number): number[] {
  const bytes = [value % 128]
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) {
    bytes.unshift(0x80 | (rest % 128))
  }
  return bytes
}

export const octetString = (bytes: Uint8Array): Buffer => der(tags.octetString, bytes)

export const bitString = (bytes: Uint8Array): Buffer => der(tags.bitString, Buffer.from([0]), bytes)

/** Bits by their numbers, without zeros behind the last one (X.690 section 11.2.2). */
export function namedBits(numbers: readonly number[]): Buffer {
  const last = Math.max(...numbers)
  const bytes = Buffer.alloc(Math.floor(last / 8) + 1)
  for (const number of numbers) bytes[number >> 3]! |= 0x80 >> (number & 7)
  return der(tags.bitString, Buffer.from([7 - (last & 7)]), bytes)
}

/** UTCTime up to 2049, GeneralizedTime from then on (RFC 5280 section 4.1.2.5), in whole seconds. */
export function time(at: Date): Buffer {
  const digits = at
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(/[-:T]/g, '')
  const isShort = at.getUTCFullYear() < 2050
  return der(isShort ? tags.utcTime : tags.generalizedTime, Buffer.from(isShort ? digits.slice(2) : digits))
}
