import { dirname } from 'node:path'
import { baseFailure, type FileSystem, isFailure, type OpenFile } from '#base/index.ts'
import type { Descriptor, Digest } from '#oci/index.ts'
import { failure } from '../codes.ts'
import { clampRange, stoppable } from '../readers.ts'
import type { ByteRange, ByteReader, CallOptions, OpenAt, WriteOutcome } from '../types.ts'
import type { ChunkPool } from './chunk-pool.ts'
import {
  chunkContentBytes,
  encodePointer,
  indexPath,
  type Place,
  type Pointer,
  tailBytes,
  tailMember,
  wholeMember,
} from './format.ts'
import type { BlobEntry } from './index-file.ts'
import { Journal, type Progress } from './journal.ts'
import { writeMember } from './member-writer.ts'
import type { Places } from './places.ts'
import { StoredReader } from './stored-reader.ts'

/** Bytes after which what was written is brought to the disk in the background. */
const syncEveryBytes = 64 * 1024 * 1024

/** The half-written file with its journal. */
export class Work {
  readonly #fs: FileSystem
  readonly #path: string
  readonly #places: Places
  readonly #pool: ChunkPool
  readonly #file: OpenFile
  readonly #journal: Journal
  readonly #entries: ReadonlyMap<Digest, BlobEntry>
  readonly #done: Map<Digest, number>
  /** The last member of the generation that is appended to. */
  readonly #supersedes: Pointer | undefined
  readonly #underWay = new Map<Digest, Promise<void>>()
  #unsyncedBytes = 0
  #syncFailure: unknown
  #syncing: Promise<void> | undefined

  private constructor(
    fs: FileSystem,
    path: string,
    places: Places,
    pool: ChunkPool,
    file: OpenFile,
    journal: Journal,
    progress: Progress,
    supersedes: Pointer | undefined,
  ) {
    this.#supersedes = supersedes
    this.#fs = fs
    this.#path = path
    this.#places = places
    this.#pool = pool
    this.#file = file
    this.#journal = journal
    this.#done = new Map(progress)
    this.#entries = new Map(places.index.blobs.map((entry) => [entry.digest, entry]))
  }

  static async begin(
    fs: FileSystem,
    path: string,
    places: Places,
    pool: ChunkPool,
    boot: string,
    supersedes: Pointer | undefined,
  ): Promise<Work> {
    const partial = supersedes ? path : partialPath(path)
    const held = (await fs.stat(partial))?.sizeBytes ?? 0
    await assertRoom(fs, path, places.endBytes - held)
    const file = await fs.open(partial, 'create')
    try {
      const { journal, progress } = await Journal.open(fs, journalPath(path), places.head.indexDigest, boot)
      return new Work(fs, path, places, pool, file, journal, progress, supersedes)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  isWritten(digest: Digest): boolean {
    const planned = this.#places.blobs.get(digest)
    if (!planned) return this.#earlier(digest) !== undefined
    // An empty content has no bytes to tell of, but its member must be written all the same.
    return this.#done.get(digest) === planned.place.size
  }

  #earlier(digest: Digest): BlobEntry | undefined {
    return this.#places.blobs.has(digest) ? undefined : this.#entries.get(digest)
  }

  async write(content: Descriptor, from: OpenAt, options: CallOptions = {}): Promise<WriteOutcome> {
    const planned = this.#places.blobs.get(content.digest)
    if (this.#earlier(content.digest)) return 'present'
    if (!planned) throw failure('CONTENT_READ_ONLY', `${content.digest} was not in the plan of the archive`)
    for (let running = this.#underWay.get(content.digest); running; ) {
      await running.catch(() => undefined)
      running = this.#underWay.get(content.digest)
    }
    if (this.isWritten(content.digest)) return 'present'
    const writing = this.#attempt(planned.place, planned.descriptor, from, options)
    this.#underWay.set(content.digest, writing)
    try {
      await writing
    } finally {
      this.#underWay.delete(content.digest)
    }
    return 'copied'
  }

  async #attempt(place: Place, content: Descriptor, from: OpenAt, options: CallOptions): Promise<void> {
    options.signal?.throwIfAborted()
    const done = this.#done.get(content.digest) ?? 0
    const opening: OpenAt = async (offset) => stoppable(await from(offset), options.signal)
    try {
      await writeMember(this.#file, place, content, opening, this.#pool, done, async (contentBytes) => {
        await this.#journal.wrote(content.digest, contentBytes)
        this.#done.set(content.digest, contentBytes)
        this.#syncNowAndThen(Math.min(chunkContentBytes, place.size))
      })
    } catch (error) {
      // What a cut link left is taken up again; bytes that turned out to be wrong must not be.
      if (!isFailure(error, 'DIGEST_MISMATCH') && !isFailure(error, 'SIZE_MISMATCH')) throw error
      this.#done.delete(content.digest)
      await this.#journal.forget(content.digest)
      // The fault may lie in what an earlier run left here: once more, from the start.
      if (done < chunkContentBytes) throw error
      await this.#attempt(place, content, from, options)
    }
  }

  async open(content: Descriptor, range?: ByteRange): Promise<ByteReader> {
    const entry = this.#entries.get(content.digest)
    if (!entry || !this.isWritten(content.digest)) {
      throw failure('CONTENT_NOT_FOUND', `${content.digest} is not in the archive yet`)
    }
    const { offset, length } = clampRange(entry.size, range)
    return new StoredReader(this.#file, entry.offset, offset, length)
  }

  async finish(): Promise<void> {
    for (const { descriptor } of this.#places.blobs.values()) {
      if (!this.isWritten(descriptor.digest)) {
        throw failure(
          'CONTENT_NOT_FOUND',
          `${descriptor.digest} was planned for the archive but never written`,
        )
      }
    }
    const { files } = this.#places
    for (const { place, bytes } of files)
      await this.#file.write(wholeMember(place.path, bytes), place.memberOffset)
    if (this.#supersedes) await this.#finishAppended(this.#supersedes)
    else await this.#finishNew()
    await this.#fs.remove(journalPath(this.#path))
  }

  async #finishNew(): Promise<void> {
    await this.#writeEnds()
    await this.#sync()
    await this.close()
    await this.#fs.rename(partialPath(this.#path), this.#path)
    await this.#fs.syncDirectory(dirname(this.#path))
  }

  /**
   * The contents are on the disk before the head and tail that make them count, and those before the old tail
   * gives way: whatever moment the power fails at, the file is the archive of before or of after.
   */
  async #finishAppended(supersedes: Pointer): Promise<void> {
    await this.#sync()
    await this.#writeEnds()
    await this.#sync()
    await this.#file.write(tailMember(supersedes, true), supersedes.archiveSizeBytes - tailBytes)
    await this.#sync()
    await this.close()
  }

  async #writeEnds(): Promise<void> {
    const { head, tail, indexBytes, endBytes } = this.#places
    await this.#file.write(wholeMember(indexPath, indexBytes, encodePointer(head)), head.indexMemberOffset)
    await this.#file.write(tailMember(tail), endBytes - tailBytes)
    // A half-written file of an earlier, longer plan may lie under it.
    await this.#file.truncate(endBytes)
  }

  async #sync(): Promise<void> {
    await this.#syncing
    // A failed background sync is told once by the kernel, so it is remembered here.
    if (this.#syncFailure !== undefined) throw this.#syncFailure
    await this.#file.sync()
  }

  async close(): Promise<void> {
    await this.#syncing
    await this.#journal.close()
    await this.#file.close()
  }

  /** Keeps the disk busy while bytes still arrive, so that little is left to wait for at the end. */
  #syncNowAndThen(sizeBytes: number): void {
    this.#unsyncedBytes += sizeBytes
    if (this.#unsyncedBytes < syncEveryBytes || this.#syncing) return
    this.#unsyncedBytes = 0
    const mark = this.#journal.mark()
    this.#syncing = this.#file
      .sync()
      .then(() => this.#journal.synced(mark))
      .catch((error: unknown) => {
        this.#syncFailure ??= error
      })
      .finally(() => {
        this.#syncing = undefined
      })
  }
}

const partialPath = (path: string): string => `${path}.partial`
const journalPath = (path: string): string => `${path}.journal`

async function assertRoom(fs: FileSystem, path: string, sizeBytes: number): Promise<void> {
  const free = await fs.freeBytes(dirname(path))
  if (sizeBytes <= free) return
  throw baseFailure('DISK_FULL', `${path} needs ${sizeBytes} more bytes, but only ${free} are free`, {
    detail: { neededBytes: sizeBytes, freeBytes: free },
  })
}
