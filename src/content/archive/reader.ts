import { type FileSystem, limits, nodeFileSystem, type OpenFile } from '#base/index.ts'
import { type Digest, digestOf } from '#oci/index.ts'
import { failure } from '../codes.ts'
import type { ByteRange, ByteReader } from '../types.ts'
import { decodePointer, formatVersion, type Pointer, pointerBytes, tailBytes } from './format.ts'
import { type ArchiveIndex, type BlobEntry, type FileEntry, parseIndex } from './index-file.ts'
import { StoredReader } from './stored-reader.ts'

/** Enough of a first member to hold its pointer. */
const headBytes = 12 + pointerBytes

/**
 * One archive, open for reading: two reads (the last member, the index) and every blob has its place. Safe for
 * any number of readers at once; nothing is unpacked.
 */
export class ArchiveReader implements AsyncDisposable {
  readonly path: string
  readonly index: ArchiveIndex
  readonly pointer: Pointer
  /** Bytes of the file, which may be longer than the archive where appending was interrupted. */
  readonly fileSizeBytes: number
  readonly file: OpenFile
  readonly #blobs: ReadonlyMap<Digest, BlobEntry>
  readonly #files: ReadonlyMap<string, FileEntry>

  private constructor(
    path: string,
    file: OpenFile,
    fileSizeBytes: number,
    pointer: Pointer,
    index: ArchiveIndex,
  ) {
    this.path = path
    this.file = file
    this.fileSizeBytes = fileSizeBytes
    this.pointer = pointer
    this.index = index
    this.#blobs = new Map(index.blobs.map((entry) => [entry.digest, entry]))
    this.#files = new Map(index.files.map((entry) => [entry.path, entry]))
  }

  /** @throws ARCHIVE_INVALID (also where it is cut off), ARCHIVE_NEWER, FILE_SYSTEM */
  static async open(path: string, fs: FileSystem = nodeFileSystem): Promise<ArchiveReader> {
    const file = await fs.open(path, 'read')
    try {
      const size = await file.size()
      const pointer = await findPointer(file, size, path)
      return new ArchiveReader(path, file, size, pointer, await readIndex(file, pointer))
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Whether the file begins as Sealift's archive does. */
  static async recognises(path: string, fs: FileSystem = nodeFileSystem): Promise<boolean> {
    const file = await fs.open(path, 'read')
    try {
      return decodePointer(await readAt(file, 0, headBytes)) !== undefined
    } finally {
      await file.close()
    }
  }

  blob(digest: Digest): BlobEntry | undefined {
    return this.#blobs.get(digest)
  }

  fileEntry(path: string): FileEntry | undefined {
    return this.#files.get(path)
  }

  /** A small file of the archive (bundle.json, index.json), verified. @throws CONTENT_NOT_FOUND, CONTENT_DAMAGED */
  async readFile(path: string, maxBytes: number): Promise<Uint8Array> {
    const entry = this.#files.get(path)
    if (!entry) throw failure('CONTENT_NOT_FOUND', `${this.path} holds no ${path}`)
    return this.readEntry(entry, maxBytes)
  }

  /** The same of an entry in hand, also one of an earlier generation. @throws CONTENT_DAMAGED */
  async readEntry(entry: FileEntry, maxBytes: number): Promise<Uint8Array> {
    const { path } = entry
    if (entry.size > maxBytes)
      throw failure('ARCHIVE_INVALID', `${path} in ${this.path} is larger than ${maxBytes} bytes`)
    const bytes = await readAll(new StoredReader(this.file, entry.offset, 0, entry.size), entry.size)
    if (digestOf(bytes) !== entry.digest)
      throw failure('CONTENT_DAMAGED', `${path} in ${this.path} is damaged`)
    return bytes
  }

  /** A blob's bytes as they are, not verified. @throws CONTENT_NOT_FOUND */
  open(digest: Digest, range?: ByteRange): ByteReader {
    const entry = this.#blobs.get(digest)
    if (!entry) throw failure('CONTENT_NOT_FOUND', `${this.path} does not hold ${digest}`)
    const offset = Math.min(range?.offset ?? 0, entry.size)
    const length = Math.min(range?.length ?? entry.size, entry.size - offset)
    return new StoredReader(this.file, entry.offset, offset, length)
  }

  async close(): Promise<void> {
    await this.file.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** The pointer at the file's end, or the newest one found from its start where appending was interrupted. */
async function findPointer(file: OpenFile, size: number, path: string): Promise<Pointer> {
  const last = size < tailBytes ? undefined : await pointerAt(file, size - tailBytes, 'tail')
  if (last && last.archiveSizeBytes === size) return last
  const first = await pointerAt(file, 0, 'head')
  if (!first) throw failure('ARCHIVE_INVALID', `${path} is not an archive of Sealift's`)
  if (first.archiveSizeBytes > size) {
    throw failure(
      'ARCHIVE_INVALID',
      `${path} is cut off: it should have ${first.archiveSizeBytes} bytes, but has ${size}`,
      {
        detail: { expectedBytes: first.archiveSizeBytes, actualBytes: size },
      },
    )
  }
  return newestComplete(file, size, first)
}

/** Each generation begins with a head where the one before ended, and counts only if its tail is there. */
async function newestComplete(file: OpenFile, size: number, first: Pointer): Promise<Pointer> {
  let newest = first
  for (;;) {
    const next = await pointerAt(file, newest.archiveSizeBytes, 'head')
    if (!next || next.generation !== newest.generation + 1 || next.archiveSizeBytes > size) return newest
    if (next.archiveSizeBytes <= newest.archiveSizeBytes) return newest
    const tail = await pointerAt(file, next.archiveSizeBytes - tailBytes, 'tail')
    if (!tail || tail.indexDigest !== next.indexDigest) return newest
    newest = next
  }
}

/** The pointer of the member at `position`. @throws ARCHIVE_NEWER */
export async function pointerAt(
  file: OpenFile,
  position: number,
  kind: Pointer['kind'],
): Promise<Pointer | undefined> {
  const pointer = decodePointer(await readAt(file, position, headBytes))
  if (!pointer || pointer.kind !== kind) return undefined
  if (pointer.version !== formatVersion) {
    throw failure('ARCHIVE_NEWER', `the archive has format version ${pointer.version}`)
  }
  return pointer
}

/** The index that `pointer` tells of, verified. @throws ARCHIVE_INVALID, ARCHIVE_NEWER */
export async function readIndex(file: OpenFile, pointer: Pointer): Promise<ArchiveIndex> {
  const { indexContentOffset, indexSizeBytes, indexDigest, archiveSizeBytes } = pointer
  if (indexSizeBytes > limits.archiveIndexBytes || indexContentOffset + indexSizeBytes > archiveSizeBytes) {
    throw failure('ARCHIVE_INVALID', 'the index of the archive does not lie inside it')
  }
  const bytes = await readAll(new StoredReader(file, indexContentOffset, 0, indexSizeBytes), indexSizeBytes)
  if (digestOf(bytes) !== indexDigest) throw failure('ARCHIVE_INVALID', 'the index of the archive is damaged')
  return parseIndex(bytes, archiveSizeBytes)
}

async function readAt(file: OpenFile, position: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  let filled = 0
  while (filled < length) {
    const count = await file.read(bytes.subarray(filled), position + filled)
    if (count === 0) break
    filled += count
  }
  return bytes.subarray(0, filled)
}

async function readAll(reader: ByteReader, sizeBytes: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(sizeBytes)
  let filled = 0
  while (filled < sizeBytes) {
    const count = await reader.read(bytes.subarray(filled))
    if (count === 0) throw failure('ARCHIVE_INVALID', 'the archive is cut off')
    filled += count
  }
  return bytes
}
