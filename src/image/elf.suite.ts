// Makes small ELF files for tests: headers, a dynamic section and its strings, and no code.

export interface ElfSpec {
  readonly bits?: 32 | 64
  readonly littleEndian?: boolean
  readonly machine?: number
  readonly interpreter?: string
  readonly needed?: readonly string[]
  readonly soname?: string
  readonly rpath?: string
  readonly runpath?: string
  readonly flags1?: number
  /** Entries before the dynamic section's end that mean nothing. */
  readonly padding?: number
  /** Program headers that mean nothing. */
  readonly extraHeaders?: number
}

const baseAddress = 0x10000

export function elfFile(spec: ElfSpec = {}): Uint8Array {
  const { bits = 64, littleEndian = true, machine = 62, needed = [], extraHeaders = 0 } = spec
  const wide = bits === 64
  const [headerBytes, entryBytes, word] = wide ? [64, 56, 8] : [52, 32, 4]
  const strings = Buffer.from(
    `\0${[...needed, spec.soname, spec.rpath, spec.runpath].filter(Boolean).join('\0')}\0`,
  )
  const interpreter = Buffer.from(`${spec.interpreter ?? ''}\0`)
  const headers = (spec.interpreter === undefined ? 2 : 3) + extraHeaders
  const interpreterAt = headerBytes + headers * entryBytes
  const stringsAt = interpreterAt + interpreter.length
  const dynamicAt = stringsAt + strings.length
  const nameAt = (name: string) => strings.indexOf(`\0${name}\0`) + 1
  const entries: [number, number][] = [
    ...needed.map((name): [number, number] => [1, nameAt(name)]),
    ...(spec.soname ? [[14, nameAt(spec.soname)] as [number, number]] : []),
    ...(spec.rpath ? [[15, nameAt(spec.rpath)] as [number, number]] : []),
    ...(spec.runpath ? [[29, nameAt(spec.runpath)] as [number, number]] : []),
    ...(spec.flags1 ? [[0x6ffffffb, spec.flags1] as [number, number]] : []),
    [5, baseAddress + stringsAt],
    [10, strings.length],
    ...Array.from({ length: spec.padding ?? 0 }, (): [number, number] => [0x15, 0]),
    [0, 0],
  ]
  const bytes = Buffer.alloc(dynamicAt + entries.length * 2 * word)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const half = (at: number, value: number) => view.setUint16(at, value, littleEndian)
  const int = (at: number, value: number) => view.setUint32(at, value, littleEndian)
  const address = (at: number, value: number) =>
    wide ? view.setBigUint64(at, BigInt(value), littleEndian) : int(at, value)
  bytes.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, littleEndian ? 1 : 2, 1])
  half(16, 3)
  half(18, machine)
  address(wide ? 32 : 28, headerBytes)
  half(wide ? 54 : 42, entryBytes)
  half(wide ? 56 : 44, headers)
  let at = headerBytes
  const header = (kind: number, offset: number, sizeBytes: number) => {
    int(at, kind)
    address(at + (wide ? 8 : 4), offset)
    address(at + (wide ? 16 : 8), baseAddress + offset)
    address(at + (wide ? 32 : 16), sizeBytes)
    at += entryBytes
  }
  header(1, 0, bytes.length)
  header(2, dynamicAt, entries.length * 2 * word)
  if (spec.interpreter !== undefined) header(3, interpreterAt, interpreter.length)
  for (let i = 0; i < extraHeaders; i++) header(0x6474e551, 0, 0)
  bytes.set(interpreter, interpreterAt)
  bytes.set(strings, stringsAt)
  for (const [i, [kind, value]] of entries.entries()) {
    address(dynamicAt + i * 2 * word, kind)
    address(dynamicAt + (i * 2 + 1) * word, value)
  }
  return bytes
}
