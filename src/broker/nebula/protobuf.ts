// Protocol Buffers' wire format (protobuf.dev/programming-guides/encoding), as far as Nebula's messages need it.

/** Bytes are not the message that was expected; whoever reads them says which document it was. */
export class NotProtobuf extends Error {}

export type Field =
  | { readonly number: number; readonly value: bigint }
  | { readonly number: number; readonly value: Uint8Array }

/** The fields in order. Only varints and length-delimited values, in their shortest form. @throws NotProtobuf */
export function readFields(bytes: Uint8Array, maxFields: number): Field[] {
  const fields: Field[] = []
  for (let at = 0; at < bytes.length; ) {
    if (fields.length === maxFields) throw new NotProtobuf(`there are more than ${maxFields} fields`)
    const key = readVarint(bytes, at)
    const number = Number(key.value >> 3n)
    const kind = key.value & 7n
    if (number === 0 || number > 536_870_911) throw new NotProtobuf('a field has no number')
    const first = readVarint(bytes, key.end)
    if (kind === 0n) {
      fields.push({ number, value: first.value })
      at = first.end
    } else if (kind === 2n) {
      if (first.value > BigInt(bytes.length - first.end)) throw new NotProtobuf('a field is cut off')
      at = first.end + Number(first.value)
      fields.push({ number, value: bytes.subarray(first.end, at) })
    } else throw new NotProtobuf('a field is of a kind that is not known here')
  }
  return fields
}

/** Numbers one behind the other. @throws NotProtobuf */
export function readPacked(bytes: Uint8Array, most: number): bigint[] {
  const values: bigint[] = []
  for (let at = 0; at < bytes.length; ) {
    if (values.length === most) throw new NotProtobuf(`there are more than ${most} numbers`)
    const { value, end } = readVarint(bytes, at)
    values.push(value)
    at = end
  }
  return values
}

function readVarint(bytes: Uint8Array, start: number): { value: bigint; end: number } {
  let value = 0n
  for (let i = 0; i < 10; i++) {
    const byte = bytes[start + i]
    if (byte === undefined) throw new NotProtobuf('a number is cut off')
    value |= BigInt(byte & 0x7f) << BigInt(7 * i)
    if (byte >= 0x80) continue
    if ((byte === 0 && i > 0) || value >> 64n !== 0n)
      throw new NotProtobuf('a number is not in its shortest form')
    return { value, end: start + i + 1 }
  }
  throw new NotProtobuf('a number is too long')
}

/** A number that is not negative. */
export function varint(value: bigint): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
  return Buffer.from([...bytes, Number(rest)])
}

/** A field with a number; nothing for 0, which is what is absent (proto3). */
export const numberField = (number: number, value: bigint): Buffer =>
  value === 0n ? Buffer.alloc(0) : Buffer.concat([varint(BigInt(number) << 3n), varint(value)])

/** A field with bytes, a text or a message; nothing for none, unless it is one of several (`repeated`) or a message. */
export const bytesField = (number: number, bytes: Uint8Array, isKept = false): Buffer =>
  bytes.length === 0 && !isKept
    ? Buffer.alloc(0)
    : Buffer.concat([varint((BigInt(number) << 3n) | 2n), varint(BigInt(bytes.length)), bytes])
