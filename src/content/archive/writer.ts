import { dirname } from 'node:path'
import { baseFailure, type FileSystem, isFailure, nodeFileSystem, type OpenFile } from '#base/index.ts'
import type { Descriptor, Digest } from '#oci/index.ts'
import { failure } from '../codes.ts'
import { byBytes } from '../paging.ts'
import type { ByteReader, OpenAt, Target, WriteOutcome } from '../types.ts'
import { bootId } from './boot-id.ts'
import { ChunkPool } from './chunk-pool.ts'
import { chunkContentBytes, encodePointer, indexPath, type Place, tailMember, wholeMember } from './format.ts'
import { Journal, type Progress } from './journal.ts'
import { layoutFiles, type RepositoryPlan } from './layout-files.ts'
import { writeMember } from './member-writer.ts'
import { layOut, type Places, type SmallFile } from './places.ts'
import { StoredReader } from './stored-reader.ts'

export interface ArchiveWriterOptions {
  readonly fs?: FileSystem
  /** Files for the archive's root, bundle.json above all. */
  readonly files?: readonly SmallFile[]
  readonly bootId?: () => Promise<string>
}

/** Bytes after which what was written is brought to the disk in the background. */
const syncEveryBytes = 64 * 1024 * 1024

/**
 * Writes a new archive. `repository(name)` is the Target of one repository inside; all of them are prepared
 * before the first write, so that every place is known before the first byte arrives. Until `commit` of the last
 * one the bytes are in FILE.partial, with a journal beside it: the same writer after a kill takes them up.
 */
export class ArchiveWriter implements AsyncDisposable {
  readonly #path: string
  readonly #options: ArchiveWriterOptions
  readonly #fs: FileSystem
  readonly #plans = new Map<string, RepositoryPlan>()
  readonly #committed = new Set<string>()
  readonly #pool = new ChunkPool()
  #work: Promise<Work> | undefined

  constructor(path: string, options: ArchiveWriterOptions = {}) {
    this.#path = path
    this.#options = options
    this.#fs = options.fs ?? nodeFileSystem
  }

  /** The repository of this name (HOST/PATH) inside the archive, as a Target; its tags are plain tags. */
  repository(name: string): Target {
    return {
      prepare: async (plan) => {
        if (this.#work) throw failure('CONTENT_READ_ONLY', 'the places in the archive are laid out already')
        this.#plans.set(name, { name, ...plan })
      },
      has: async (content) => (await this.#begin()).isWritten(content.digest),
      write: async (content, from) => (await this.#begin()).write(content, from),
      open: async (content, range) => (await this.#begin()).open(content, range),
      resolve: async (reference) => {
        throw failure('CONTENT_NOT_FOUND', `the archive is being written: nothing is named ${reference} yet`)
      },
      tag: async (manifest, reference) => this.#assertPlanned(name, manifest, reference),
      commit: async () => {
        this.#committed.add(name)
        if ([...this.#plans.keys()].every((planned) => this.#committed.has(planned))) await this.#finish()
      },
    }
  }

  /** Lets go of the files; what was written stays for the next run. */
  async [Symbol.asyncDispose](): Promise<void> {
    const work = await this.#work?.catch(() => undefined)
    this.#work = undefined
    await work?.close()
  }

  #begin(): Promise<Work> {
    this.#work ??= this.#start()
    return this.#work
  }

  async #start(): Promise<Work> {
    const plans = [...this.#plans.values()]
    const contents = new Map<Digest, Descriptor>()
    for (const plan of plans) for (const content of plan.contents) contents.set(content.digest, content)
    const files = [...(this.#options.files ?? []), ...layoutFiles(plans)]
    const absent = plans.flatMap((plan) => (plan.absent ?? []).map(({ digest }) => digest))
    const left = [...new Set(absent)].filter((digest) => !contents.has(digest)).sort(byBytes)
    const places = layOut([...contents.values()], files, left)
    return Work.begin(this.#fs, this.#path, places, this.#pool, await (this.#options.bootId ?? bootId)())
  }

  async #finish(): Promise<void> {
    const work = await this.#begin()
    await work.finish()
    this.#work = undefined
  }

  #assertPlanned(name: string, manifest: Descriptor, reference: string): void {
    const planned = this.#plans
      .get(name)
      ?.taggings.some(
        (tagging) => tagging.reference === reference && tagging.manifest.digest === manifest.digest,
      )
    if (!planned) throw failure('CONTENT_READ_ONLY', `${reference} was not in the plan of the archive`)
  }
}

/** The half-written file with its journal. */
class Work {
  readonly #fs: FileSystem
  readonly #path: string
  readonly #places: Places
  readonly #pool: ChunkPool
  readonly #file: OpenFile
  readonly #journal: Journal
  readonly #done: Map<Digest, number>
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
  ) {
    this.#fs = fs
    this.#path = path
    this.#places = places
    this.#pool = pool
    this.#file = file
    this.#journal = journal
    this.#done = new Map(progress)
  }

  static async begin(
    fs: FileSystem,
    path: string,
    places: Places,
    pool: ChunkPool,
    boot: string,
  ): Promise<Work> {
    const partial = partialPath(path)
    const held = (await fs.stat(partial))?.sizeBytes ?? 0
    await assertRoom(fs, path, places.endBytes - held)
    const file = await fs.open(partial, 'create')
    try {
      const { journal, progress } = await Journal.open(fs, journalPath(path), places.head.indexDigest, boot)
      return new Work(fs, path, places, pool, file, journal, progress)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  isWritten(digest: Digest): boolean {
    const planned = this.#places.blobs.get(digest)
    // An empty content has no bytes to tell of, but its member must be written all the same.
    return planned !== undefined && this.#done.get(digest) === planned.place.size
  }

  async write(content: Descriptor, from: OpenAt): Promise<WriteOutcome> {
    const planned = this.#places.blobs.get(content.digest)
    if (!planned) throw failure('CONTENT_READ_ONLY', `${content.digest} was not in the plan of the archive`)
    const running = this.#underWay.get(content.digest)
    if (running) await running.catch(() => undefined)
    if (this.isWritten(content.digest)) return 'present'
    const writing = this.#attempt(planned.place, planned.descriptor, from)
    this.#underWay.set(content.digest, writing)
    try {
      await writing
    } finally {
      this.#underWay.delete(content.digest)
    }
    return 'copied'
  }

  async #attempt(place: Place, content: Descriptor, from: OpenAt): Promise<void> {
    const done = this.#done.get(content.digest) ?? 0
    try {
      await writeMember(this.#file, place, content, from, this.#pool, done, async (contentBytes) => {
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
      await this.#attempt(place, content, from)
    }
  }

  async open(content: Descriptor, range?: { offset: number; length?: number }): Promise<ByteReader> {
    const planned = this.#places.blobs.get(content.digest)
    if (!planned || !this.isWritten(content.digest)) {
      throw failure('CONTENT_NOT_FOUND', `${content.digest} is not in the archive yet`)
    }
    const offset = range?.offset ?? 0
    const length = Math.min(range?.length ?? planned.place.size, planned.place.size - offset)
    return new StoredReader(this.#file, planned.place.contentOffset, offset, length)
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
    const { head, tail, indexBytes, files, endBytes } = this.#places
    await this.#file.write(wholeMember(indexPath, indexBytes, encodePointer(head)), head.indexMemberOffset)
    for (const { place, bytes } of files)
      await this.#file.write(wholeMember(place.path, bytes), place.memberOffset)
    const last = tailMember(tail)
    await this.#file.write(last, endBytes - last.length)
    // A half-written file of an earlier, longer plan may lie under it.
    await this.#file.truncate(endBytes)
    await this.#syncing
    // A failed background sync is told once by the kernel, so it is remembered here.
    if (this.#syncFailure !== undefined) throw this.#syncFailure
    await this.#file.sync()
    await this.close()
    await this.#fs.rename(partialPath(this.#path), this.#path)
    await this.#fs.syncDirectory(dirname(this.#path))
    await this.#fs.remove(journalPath(this.#path))
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
