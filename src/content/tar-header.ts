import type { SealiftError } from '#base/index.ts'

export type TarKind = 'file' | 'directory' | 'symlink' | 'link' | 'device' | 'fifo'
export type TarMetaKind = 'pax' | 'pax-global' | 'gnu-name' | 'gnu-link'

/** The 512 bytes before a member (POSIX.1-1988 ustar, GNU tar, and the old form before both). */
export interface TarHeader {
  readonly kind: TarKind | TarMetaKind
  readonly name: Uint8Array
  readonly linkName: Uint8Array
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly sizeBytes: number
  readonly mtimeSeconds: number
}

/** The unit of a tar file, in bytes: headers are one, contents are padded to it. */
export const tarBlockBytes = 512

/**
 * The error for what is wrong: an archive and a layer have codes of their own. `unsupported` is what honest tools
 * may write and is not read here.
 */
export type TarRefusal = (kind: 'invalid' | 'unsupported', why: string, cause?: unknown) => SealiftError

const kinds: Readonly<Record<string, TarKind | TarMetaKind>> = {
  '\0': 'file',
  '0': 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'device',
  '4': 'device',
  '5': 'directory',
  '6': 'fifo',
  '7': 'file',
  x: 'pax',
  g: 'pax-global',
  L: 'gnu-name',
  K: 'gnu-link',
}

/** Reads the 512 bytes of `block`, which may be used again afterwards. @throws what `refuse` makes */
export function parseTarHeader(block: Uint8Array, refuse: TarRefusal): TarHeader {
  if (!checksumIsRight(block, refuse)) throw refuse('invalid', 'the checksum of a tar header is wrong')
  const type = String.fromCharCode(block[156]!)
  let kind = kinds[type]
  if (kind === undefined) throw refuse('unsupported', `there is a member of type ${JSON.stringify(type)}`)
  const magic = Buffer.from(block.buffer, block.byteOffset + 257, 6).toString('latin1')
  const prefix = magic === 'ustar\0' ? field(block, 345, 155) : new Uint8Array(0)
  const name = field(block, 0, 100)
  const whole = prefix.length > 0 ? Buffer.concat([prefix, Buffer.from('/'), name]) : name
  // Before there were types, a directory was told by its slash.
  if (kind === 'file' && whole.at(-1) === 0x2f) kind = 'directory'
  const sizeBytes = number(block, 124, 12, refuse)
  if (sizeBytes < 0) throw refuse('invalid', 'a member has a negative size')
  return {
    kind,
    name: whole,
    linkName: field(block, 157, 100),
    mode: number(block, 100, 8, refuse) & 0o7777,
    uid: number(block, 108, 8, refuse),
    gid: number(block, 116, 8, refuse),
    sizeBytes,
    mtimeSeconds: number(block, 136, 12, refuse),
  }
}

/** The sum of all bytes with the sum's own field as spaces; some old tools added them up as signed. */
function checksumIsRight(block: Uint8Array, refuse: TarRefusal): boolean {
  let plain = 0
  let signed = 0
  for (let at = 0; at < tarBlockBytes; at++) {
    const byte = at >= 148 && at < 156 ? 0x20 : block[at]!
    plain += byte
    signed += byte < 128 ? byte : byte - 256
  }
  const said = number(block, 148, 8, refuse)
  return said === plain || said === signed
}

function field(block: Uint8Array, at: number, length: number): Uint8Array {
  const bytes = block.subarray(at, at + length)
  const end = bytes.indexOf(0)
  // A copy: the block is read into again.
  return Uint8Array.from(end < 0 ? bytes : bytes.subarray(0, end))
}

/** Octal digits, or base 256 where the first bit is set (GNU). */
function number(block: Uint8Array, at: number, length: number, refuse: TarRefusal): number {
  const first = block[at]!
  if (first < 128) {
    const text = Buffer.from(block.buffer, block.byteOffset + at, length).toString('latin1')
    const digits = /^[ \0]*([0-7]*)[ \0]*$/.exec(text)
    if (!digits) throw refuse('invalid', 'a tar header has a field that is no number')
    return digits[1] === '' ? 0 : Number.parseInt(digits[1]!, 8)
  }
  let value = BigInt(first & 0x7f)
  for (let i = 1; i < length; i++) value = (value << 8n) | BigInt(block[at + i]!)
  // Two's complement of as many bits as there are after the mark.
  if ((first & 0x40) !== 0) value -= 1n << BigInt(8 * length - 1)
  if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER)) {
    throw refuse('invalid', 'a tar header has a number beyond all measure')
  }
  return Number(value)
}

/**
 * The records of an extended header, "LENGTH KEY=VALUE\n" (POSIX.1-2001 pax, Extended Header). The last of equal
 * keys counts. @throws what `refuse` makes
 */
export function parsePaxRecords(bytes: Uint8Array, refuse: TarRefusal): ReadonlyMap<string, string> {
  const records = new Map<string, string>()
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at)
    const digits =
      space > at && space - at <= 10 ? Buffer.from(bytes.subarray(at, space)).toString('latin1') : ''
    const end = at + Number(digits)
    if (!/^[1-9]\d*$/.test(digits) || end > bytes.length || end <= space + 1 || bytes[end - 1] !== 0x0a) {
      throw refuse('invalid', 'an extended header is malformed')
    }
    const equals = bytes.indexOf(0x3d, space + 1)
    if (equals < 0 || equals >= end - 1)
      throw refuse('invalid', 'an extended header has a record without a value')
    const key = Buffer.from(bytes.subarray(space + 1, equals)).toString('latin1')
    const value = bytes.subarray(equals + 1, end - 1)
    // Attributes are bytes, and not used here; every other value is a text.
    records.set(key, key.startsWith('SCHILY.xattr.') ? '' : tarText(value, refuse))
    at = end
  }
  return records
}

/** A name as a text. Names that are not UTF-8 would become others on their way through. @throws what `refuse` makes */
export function tarText(bytes: Uint8Array, refuse: TarRefusal): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw refuse('invalid', 'a name is not UTF-8', cause)
  }
}
