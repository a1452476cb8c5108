import {
  type FileSystem,
  isFailure,
  type Limits,
  limits,
  nodeFileSystem,
  type OpenFile,
} from '#base/index.ts'
import { failure } from './codes.ts'
import { FileReader } from './layout-directory.ts'
import { clampRange } from './readers.ts'
import { compressionOf, spool } from './spool.ts'
import { type TarFile, TarIndex } from './tar-index.ts'
import type { ByteRange, ByteReader, CallOptions } from './types.ts'

export interface OpenArchiveOptions extends CallOptions {
  readonly fs?: FileSystem | undefined
  /** Where an archive that is compressed through is unpacked; TMPDIR where it is not said. */
  readonly temporaryDirectory?: string | undefined
  readonly limits?: Limits | undefined
}

/** An archive of another tool, open: a tar with its places known, unpacked first where it was compressed through. */
export class TarArchive {
  readonly path: string
  readonly index: TarIndex
  readonly limits: Limits
  readonly #file: OpenFile

  private constructor(path: string, file: OpenFile, index: TarIndex, bounds: Limits) {
    this.path = path
    this.#file = file
    this.index = index
    this.limits = bounds
  }

  /** @throws ARCHIVE_INVALID, ARCHIVE_HOSTILE, DISK_FULL, FILE_SYSTEM */
  static async open(path: string, options: OpenArchiveOptions = {}): Promise<TarArchive> {
    const bounds = options.limits ?? limits
    const file = await openTar(path, options).catch((error) => throwNaming(path, error))
    try {
      return new TarArchive(path, file, await TarIndex.read(file, bounds, options), bounds)
    } catch (error) {
      await file.close()
      return throwNaming(path, error)
    }
  }

  /** A part of one file in it. */
  open(entry: TarFile, range?: ByteRange): ByteReader {
    const { offset, length } = clampRange(entry.size, range)
    return new FileReader(this.#borrowed(), { offset: entry.offset + offset, length })
  }

  /** One file in it as if it were a file of its own. Closing it closes nothing. */
  file(entry: TarFile): Pick<OpenFile, 'read' | 'size'> {
    return {
      size: async () => entry.size,
      read: async (into, position) => {
        const wanted = Math.min(into.length, entry.size - position)
        return wanted <= 0 ? 0 : this.#file.read(into.subarray(0, wanted), entry.offset + position)
      },
    }
  }

  /** A whole small file; links are followed. Undefined where there is none. @throws ARCHIVE_INVALID */
  async read(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
    const entry = this.index.follow(path)
    return entry && this.bytes(entry, maxBytes)
  }

  /** @throws ARCHIVE_INVALID where it is larger than `maxBytes` */
  async bytes(entry: TarFile, maxBytes: number): Promise<Uint8Array> {
    if (entry.size > maxBytes) {
      throw failure('ARCHIVE_INVALID', `${entry.path} in ${this.path} is larger than ${maxBytes} bytes`)
    }
    const bytes = new Uint8Array(entry.size)
    for (let filled = 0; filled < entry.size; ) {
      const count = await this.#file.read(bytes.subarray(filled), entry.offset + filled)
      if (count === 0) throw failure('ARCHIVE_INVALID', `${this.path} is cut off`)
      filled += count
    }
    return bytes
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  /** The file for a reader that closes what it reads from. */
  #borrowed(): Pick<OpenFile, 'read' | 'close'> {
    return { read: (into, position) => this.#file.read(into, position), close: async () => undefined }
  }
}

/** What is wrong inside is found where the path is not known. */
function throwNaming(path: string, error: unknown): never {
  for (const code of ['ARCHIVE_INVALID', 'ARCHIVE_HOSTILE'] as const) {
    if (isFailure(error, code)) throw failure(code, `${path}: ${error.message}`, { cause: error })
  }
  throw error
}

/** The file itself, or what it unpacks to. */
async function openTar(path: string, options: OpenArchiveOptions): Promise<OpenFile> {
  const fs = options.fs ?? nodeFileSystem
  const file = await fs.open(path, 'read')
  try {
    const head = new Uint8Array(4)
    const compression = compressionOf(head.subarray(0, await file.read(head, 0)))
    if (!compression) return file
    const spooled = await spool(file, compression, options)
    await file.close()
    return spooled
  } catch (error) {
    await file.close()
    throw error
  }
}
