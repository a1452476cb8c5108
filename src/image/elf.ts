import { type Limits, limits } from '#base/index.ts'
import { failure } from './codes.ts'

/** A file that can be read anywhere. `read` gives exactly `length` bytes, or fewer where the file ends. */
export interface RandomAccess {
  readonly sizeBytes: number
  read(offset: number, length: number): Promise<Uint8Array>
}

/** What the dynamic linker reads of an ELF file (System V ABI, chapter 5; elf(5)). */
export interface Elf {
  readonly bits: 32 | 64
  readonly littleEndian: boolean
  /** e_machine. */
  readonly machine: number
  /** The dynamic linker (PT_INTERP); absent in libraries and static executables. */
  readonly interpreter?: string
  /** DT_NEEDED, in order. */
  readonly needed: readonly string[]
  readonly soname?: string
  /** DT_RPATH as written, unless there is a RUNPATH, which replaces it. */
  readonly rpath?: string
  readonly runpath?: string
  /** DF_1_NODEFLIB: the linker's default directories are not searched. */
  readonly noDefaultLibraries: boolean
}

type ElfLimits = Pick<Limits, 'programHeaders' | 'dynamicEntries' | 'sharedLibraries' | 'pathBytes'>

const segment = { load: 1, dynamic: 2, interpreter: 3 } as const
const tag = {
  needed: 1,
  strtab: 5,
  strsz: 10,
  soname: 14,
  rpath: 15,
  runpath: 29,
  flags1: 0x6ffffffb,
} as const
const noDefaultLibrariesFlag = 0x800n

/**
 * Reads the parts of an ELF file that say what it loads. Nothing is run: `ldd` may execute what it looks at.
 *
 * @throws EXECUTABLE_INVALID
 */
export async function readElf(file: RandomAccess, bounds: ElfLimits = limits): Promise<Elf> {
  const fields = await readIdentity(file)
  const { bits, littleEndian } = fields
  const wide = bits === 64
  const header = await fields.view(0, wide ? 64 : 52)
  const type = header.half(16)
  if (type !== 2 && type !== 3) throw invalid('it is neither an executable nor a shared library')
  const machine = header.half(18)
  const tableAt = header.word(wide ? 32 : 28)
  const entryBytes = header.half(wide ? 54 : 42)
  const count = header.half(wide ? 56 : 44)
  if (count > bounds.programHeaders) throw invalid(`it has ${count} program headers`)
  if (count > 0 && entryBytes < (wide ? 56 : 32)) throw invalid('its program headers are too short')
  const table = await fields.view(tableAt, count * entryBytes)
  const loads: Segment[] = []
  let dynamic: Segment | undefined
  let interpreter: Segment | undefined
  for (let i = 0; i < count; i++) {
    const at = i * entryBytes
    const kind = table.int(at)
    const found: Segment = {
      offset: table.word(at + (wide ? 8 : 4)),
      address: table.word(at + (wide ? 16 : 8)),
      sizeBytes: table.word(at + (wide ? 32 : 16)),
    }
    if (kind === segment.load) loads.push(found)
    else if (kind === segment.dynamic) dynamic = found
    else if (kind === segment.interpreter) interpreter = found
  }
  return {
    bits,
    littleEndian,
    machine,
    ...(interpreter && { interpreter: await readInterpreter(fields, interpreter, bounds) }),
    ...(await readDynamic(fields, dynamic, loads, bounds)),
  }
}

interface Segment {
  readonly offset: number
  readonly address: number
  readonly sizeBytes: number
}

/** Fields of one file's class and byte order; every read is checked against the file's size first. */
interface Fields {
  readonly bits: 32 | 64
  readonly littleEndian: boolean
  view(offset: number, length: number): Promise<View>
  text(offset: number, maxBytes: number): Promise<string>
}

interface View {
  half(at: number): number
  int(at: number): number
  /** An address-sized number. Beyond 2^53 it is no offset of any file, and reads as infinite. */
  word(at: number): number
  big(at: number): bigint
}

async function readIdentity(file: RandomAccess): Promise<Fields> {
  const identity = await file.read(0, 16)
  const [a, b, c, d, elfClass, order] = identity
  if (identity.length < 16 || a !== 0x7f || b !== 0x45 || c !== 0x4c || d !== 0x46) {
    throw invalid('it is not an ELF file')
  }
  if (elfClass !== 1 && elfClass !== 2) throw invalid(`its class ${elfClass} is unknown`)
  if (order !== 1 && order !== 2) throw invalid(`its byte order ${order} is unknown`)
  const bits = elfClass === 2 ? 64 : 32
  const little = order === 1
  return {
    bits,
    littleEndian: little,
    async view(offset, length) {
      if (!(offset + length <= file.sizeBytes))
        throw invalid('it is cut off, or its headers point outside it')
      const bytes = await file.read(offset, length)
      if (bytes.length !== length) throw invalid('it is cut off')
      const data = new DataView(bytes.buffer, bytes.byteOffset, length)
      const big = (at: number) =>
        bits === 64 ? data.getBigUint64(at, little) : BigInt(data.getUint32(at, little))
      return {
        half: (at) => data.getUint16(at, little),
        int: (at) => data.getUint32(at, little),
        big,
        word(at) {
          const value = big(at)
          return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.POSITIVE_INFINITY : Number(value)
        },
      }
    },
    async text(offset, maxBytes) {
      if (!(offset < file.sizeBytes)) throw invalid('a name lies outside it')
      const bytes = await file.read(offset, Math.min(maxBytes + 1, file.sizeBytes - offset))
      const end = bytes.indexOf(0)
      if (end < 0) throw invalid(`a name has no end within ${maxBytes} bytes`)
      try {
        return new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, end))
      } catch {
        throw invalid('a name is not UTF-8')
      }
    },
  }
}

async function readInterpreter(fields: Fields, { offset, sizeBytes }: Segment, bounds: ElfLimits) {
  const path = await fields.text(offset, Math.min(sizeBytes, bounds.pathBytes))
  if (!path.startsWith('/')) throw invalid('its dynamic linker is not an absolute path')
  return path
}

async function readDynamic(
  fields: Fields,
  dynamic: Segment | undefined,
  loads: readonly Segment[],
  bounds: ElfLimits,
): Promise<Pick<Elf, 'needed' | 'soname' | 'rpath' | 'runpath' | 'noDefaultLibraries'>> {
  if (!dynamic) return { needed: [], noDefaultLibraries: false }
  const wordBytes = fields.bits / 8
  const entries = Math.floor(dynamic.sizeBytes / (2 * wordBytes))
  if (!(entries <= bounds.dynamicEntries)) throw invalid('its dynamic section is too large')
  const view = await fields.view(dynamic.offset, entries * 2 * wordBytes)
  const needed: number[] = []
  const single = new Map<number, number>()
  let flags = 0n
  for (let i = 0; i < entries; i++) {
    const at = i * 2 * wordBytes
    const kind = view.word(at)
    if (kind === 0) break
    const value = view.word(at + wordBytes)
    if (kind === tag.needed) needed.push(value)
    else if (kind === tag.flags1) flags = view.big(at + wordBytes)
    else single.set(kind, value)
  }
  if (needed.length > bounds.sharedLibraries) throw invalid(`it needs ${needed.length} libraries`)
  const name = stringTable(fields, single, loads, bounds)
  const optional = async (kind: number) => {
    const at = single.get(kind)
    return at === undefined ? undefined : name(at)
  }
  const names: string[] = []
  for (const at of needed) names.push(await name(at))
  const [soname, rpath, runpath] = [
    await optional(tag.soname),
    await optional(tag.rpath),
    await optional(tag.runpath),
  ]
  return {
    needed: names,
    noDefaultLibraries: (flags & noDefaultLibrariesFlag) !== 0n,
    ...(soname !== undefined && { soname }),
    ...(rpath !== undefined && runpath === undefined && { rpath }),
    ...(runpath !== undefined && { runpath }),
  }
}

/** DT_STRTAB is an address in memory: the segment that is loaded there says where it lies in the file. */
function stringTable(
  fields: Fields,
  single: ReadonlyMap<number, number>,
  loads: readonly Segment[],
  bounds: ElfLimits,
): (at: number) => Promise<string> {
  const address = single.get(tag.strtab)
  const sizeBytes = single.get(tag.strsz)
  const home = loads.find(
    (load) => address !== undefined && address >= load.address && address < load.address + load.sizeBytes,
  )
  return async (at) => {
    if (address === undefined || sizeBytes === undefined || !home) throw invalid('it has no string table')
    if (!(at < sizeBytes)) throw invalid('a name lies outside its string table')
    return fields.text(
      home.offset + (address - home.address) + at,
      Math.min(bounds.pathBytes, sizeBytes - at),
    )
  }
}

function invalid(why: string) {
  return failure('EXECUTABLE_INVALID', `not an ELF file that can be used: ${why}`)
}
