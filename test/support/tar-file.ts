import { Buffer } from 'node:buffer'

/** One member as a test wants it, honest or not. */
export interface Member {
  readonly name: string
  readonly bytes?: Uint8Array
  readonly type?: string
  readonly link?: string
  /** What the header's size field says, where that is not the truth: a number in octal, or the field itself. */
  readonly size?: number | Uint8Array
  readonly mutate?: (header: Buffer) => void
}

/** One member: header, content, padding. */
export function tarMember({
  name,
  bytes = new Uint8Array(0),
  type = '0',
  link = '',
  size,
  mutate,
}: Member): Buffer {
  const header = Buffer.alloc(512)
  header.write(name, 0, 100)
  header.write('0000644\0', 100)
  header.write('0000000\0', 108)
  header.write('0000000\0', 116)
  if (size instanceof Uint8Array) header.set(size, 124)
  else header.write(`${(size ?? bytes.length).toString(8).padStart(11, '0')}\0`, 124)
  header.write('00000000000\0', 136)
  header.fill(0x20, 148, 156)
  header.write(type, 156)
  header.write(link, 157, 100)
  header.write('ustar\x0000', 257)
  mutate?.(header)
  let sum = 0
  for (const byte of header) sum += byte
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)])
}

/** A whole tar file. */
export const tarFile = (members: readonly Member[]): Buffer =>
  Buffer.concat([...members.map(tarMember), Buffer.alloc(1024)])

/** The records of a pax extended header. */
export const paxRecords = (records: Readonly<Record<string, string>>): Buffer =>
  Buffer.concat(
    Object.entries(records).map(([key, value]) => {
      const rest = Buffer.byteLength(` ${key}=${value}\n`)
      let length = rest
      while (String(length).length + rest !== length) length = String(length).length + rest
      return Buffer.from(`${length} ${key}=${value}\n`)
    }),
  )

/** An open file over bytes in memory. */
export const memoryFile = (bytes: Uint8Array) => ({
  size: async () => bytes.length,
  read: async (into: Uint8Array, position: number) => {
    const part = bytes.subarray(position, position + into.length)
    into.set(part)
    return part.length
  },
})
