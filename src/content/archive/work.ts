import { dirname } from 'node:path'
import { type FileSystem, isFailure, type OpenFile } from '#base/index.ts'
import type { Descriptor, Digest } from '#oci/index.ts'
import { failure } from '../codes.ts'
import { assertFree } from '../layout-directory.ts'
import { clampRange, stoppable } from '../readers.ts'
import type { ByteRange, ByteReader, CallOptions, OpenAt, WriteOutcome } from '../types.ts'
import { WriteTurns } from '../write-turns.ts'
import type { ChunkPool } from './chunk-pool.ts'
import {
  chunkContentBytes,
  encodePointer,
  indexPath,
  type Place,
  type Pointer,
  positionOf,
  tailBytes,
  tailMember,
  wholeMember,
} from './format.ts'
import type { BlobEntry } from './index-file.ts'
import { Journal, type Progress } from './journal.ts'
import { writeMember } from './member-writer.ts'
import type { Places } from './places.ts'
import { StoredReader } from './stored-reader.ts'

const defaultSyncEveryBytes = 64 * 1024 * 1024

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
  /** The last members of the generations that are appended to. */
  readonly #supersedes: readonly Pointer[]
  readonly #turns = new WriteTurns()
  readonly #syncEveryBytes: number
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
    supersedes: readonly Pointer[],
    syncEveryBytes: number,
  ) {
    this.#syncEveryBytes = syncEveryBytes
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
    supersedes: readonly Pointer[],
    syncEveryBytes = defaultSyncEveryBytes,
  ): Promise<Work> {
    const partial = supersedes.length > 0 ? path : partialPath(path)
    const heldBytes = (await fs.stat(partial))?.sizeBytes
    await assertFree(fs, path, places.endBytes - (heldBytes ?? 0))
    // First the journal, then the file that it tells of: a journal of before never meets a new file.
    const plan = places.head.indexDigest
    const { journal, progress: told } = await Journal.open(
      fs,
      journalPath(path),
      plan,
      boot,
      heldBytes === undefined,
    )
    let file: OpenFile | undefined
    try {
      file = await fs.open(partial, 'create')
      await fs.syncDirectory(dirname(path))
      const progress = new Map(
        [...told].filter(([digest, done]) => reaches(places, digest, done) <= (heldBytes ?? 0)),
      )
      return new Work(fs, path, places, pool, file, journal, progress, supersedes, syncEveryBytes)
    } catch (error) {
      await file?.close()
      await journal.close()
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
    return this.#turns.take(
      content.digest,
      () => this.isWritten(content.digest),
      () => this.#attempt(planned.place, planned.descriptor, from, options),
    )
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
    if (this.#supersedes.length > 0) await this.#finishAppended()
    else await this.#finishNew()
    await this.#fs.remove(journalPath(this.#path))
    await this.#fs.syncDirectory(dirname(this.#path))
  }

  async #finishNew(): Promise<void> {
    await this.#writeIndex()
    await this.#writeTail()
    await this.#sync()
    await this.close()
    await this.#fs.rename(partialPath(this.#path), this.#path)
  }

  /**
   * Contents and index are on the disk before the tail that makes them count, and that before the old tails give
   * way: whatever moment the power fails at, the file is the archive of before or of after. All tails of before,
   * because an earlier append may have been cut off between its own last two steps.
   */
  async #finishAppended(): Promise<void> {
    await this.#writeIndex()
    await this.#sync()
    await this.#writeTail()
    await this.#sync()
    for (const tail of this.#supersedes) {
      await this.#file.write(tailMember(tail, true), tail.archiveSizeBytes - tailBytes)
    }
    await this.#sync()
    await this.close()
  }

  async #writeIndex(): Promise<void> {
    const { head, indexBytes, endBytes } = this.#places
    await this.#file.write(wholeMember(indexPath, indexBytes, encodePointer(head)), head.indexMemberOffset)
    // A half-written file of an earlier, longer plan may lie under it.
    await this.#file.truncate(endBytes)
  }

  async #writeTail(): Promise<void> {
    const { tail, endBytes } = this.#places
    await this.#file.write(tailMember(tail), endBytes - tailBytes)
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
    if (this.#unsyncedBytes < this.#syncEveryBytes || this.#syncing) return
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

/** Where the bytes end that the journal tells of: a file that ends before is not the one it told of. */
function reaches(places: Places, digest: Digest, doneBytes: number): number {
  const place = places.blobs.get(digest)?.place
  if (!place || doneBytes === 0) return place?.end ?? 0
  return doneBytes === place.size ? place.end : positionOf(place.contentOffset, doneBytes - 1) + 1
}

const partialPath = (path: string): string => `${path}.partial`
const journalPath = (path: string): string => `${path}.journal`
