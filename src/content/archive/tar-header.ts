/** Headers of a tar entry: ustar (POSIX.1-2017, pax, "ustar Interchange Format"), with pax records where needed. */
const blockSize = 512
const maxUstarSize = 8 ** 11 - 1

/**
 * The header blocks of one regular file: mode 0644, owner 0, time 0. A path that does not fit ustar's 100 and 155
 * bytes, or a size over 8 GiB, gets a pax header before it.
 */
export function tarHeader(path: string, sizeBytes: number): Buffer {
  const split = splitPath(path)
  const records: string[] = []
  if (!split) records.push(paxRecord('path', path))
  if (sizeBytes > maxUstarSize) records.push(paxRecord('size', String(sizeBytes)))
  const name = split ?? { name: path.slice(-100), prefix: '' }
  const plain = ustarHeader(name.name, name.prefix, sizeBytes > maxUstarSize ? 0 : sizeBytes, '0')
  if (records.length === 0) return plain
  const pax = Buffer.from(records.join(''))
  const padding = Buffer.alloc((blockSize - (pax.length % blockSize)) % blockSize)
  return Buffer.concat([ustarHeader('PaxHeaders/sealift', '', pax.length, 'x'), pax, padding, plain])
}

/** The length of those header blocks, which is most often told without making them. */
export function tarHeaderBytes(path: string, sizeBytes: number): number {
  const isPlain = path.length <= 100 && sizeBytes <= maxUstarSize
  return isPlain ? blockSize : tarHeader(path, sizeBytes).length
}

/** "LENGTH KEY=VALUE\n", where the length counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  let length = rest.length
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return `${length}${rest}`
}

function splitPath(path: string): { name: string; prefix: string } | undefined {
  if (path.length <= 100) return { name: path, prefix: '' }
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
    if (at <= 155 && path.length - at - 1 <= 100)
      return { name: path.slice(at + 1), prefix: path.slice(0, at) }
  }
  return undefined
}

/** What is the same in every header: mode 0644, owner 0, time 0, the magic, a checksum field of spaces. */
const template: Buffer = (() => {
  const header = Buffer.alloc(blockSize)
  octal(header, 0o644, 100, 8)
  for (const offset of [108, 116, 329, 337]) octal(header, 0, offset, 8)
  octal(header, 0, 136, 12)
  header.fill(0x20, 148, 156)
  header.write('ustar\0' + '00', 257, 'latin1')
  return header
})()

function ustarHeader(name: string, prefix: string, size: number, type: string): Buffer {
  const header = Buffer.from(template)
  header.write(name, 0, 'latin1')
  octal(header, size, 124, 12)
  header[156] = type.charCodeAt(0)
  if (prefix !== '') header.write(prefix, 345, 'latin1')
  let sum = 0
  for (const byte of header) sum += byte
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return header
}

function octal(header: Buffer, value: number, offset: number, length: number): void {
  header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, offset, 'latin1')
}
