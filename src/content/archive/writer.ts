import { type FileSystem, nodeFileSystem } from '#base/index.ts'
import type { Descriptor, Digest } from '#oci/index.ts'
import { failure } from '../codes.ts'
import { byBytes } from '../paging.ts'
import type { Target } from '../types.ts'
import { bootId } from './boot-id.ts'
import { ChunkPool } from './chunk-pool.ts'
import type { Pointer } from './format.ts'
import { generationsOf } from './generations.ts'
import { layoutFiles, type RepositoryPlan } from './layout-files.ts'
import { type Earlier, layOut, type SmallFile } from './places.ts'
import { ArchiveReader } from './reader.ts'
import { readRoots } from './roots.ts'
import { Work } from './work.ts'

export interface ArchiveWriterOptions {
  readonly fs?: FileSystem
  /** Files for the archive's root, bundle.json above all. */
  readonly files?: readonly SmallFile[]
  /** A text that changes with every start of the system: after a power cut only what was synced counts. */
  readonly bootId?: () => Promise<string>
  /** After so many bytes what was written is brought to the disk in the background; 64 MiB where it is not said. */
  readonly syncEveryBytes?: number
}

/** The archive that is appended to. */
interface Base extends Earlier {
  readonly roots: readonly Descriptor[]
  readonly tails: readonly Pointer[]
}

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
  readonly #base: Base | undefined
  #work: Promise<Work> | undefined

  constructor(path: string, options: ArchiveWriterOptions = {}, base?: Base) {
    this.#path = path
    this.#options = options
    this.#fs = options.fs ?? nodeFileSystem
    this.#base = base
  }

  /**
   * Adds to an archive: contents it lacks and an index that supersedes the one it has. Until `commit` every reader
   * sees the archive as it was.
   */
  static async append(path: string, options: ArchiveWriterOptions = {}): Promise<ArchiveWriter> {
    await using reader = await ArchiveReader.open(path, options.fs)
    const { archiveSizeBytes } = reader.pointer
    const roots = await readRoots(reader)
    const generations = await generationsOf(reader)
    const tails = generations.map(({ head }): Pointer => ({ ...head, kind: 'tail' }))
    return new ArchiveWriter(path, options, { index: reader.index, archiveSizeBytes, roots, tails })
  }

  /** The repository of this name (HOST/PATH) inside the archive, as a Target; its tags are plain tags. */
  repository(name: string): Target {
    return {
      prepare: async (plan) => {
        if (this.#work) throw failure('CONTENT_READ_ONLY', 'the places in the archive are laid out already')
        this.#plans.set(name, { name, ...plan })
      },
      has: async (content) => (await this.#begin()).isWritten(content.digest),
      write: async (content, from, options) => (await this.#begin()).write(content, from, options),
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
    const files = [...(this.#options.files ?? []), ...layoutFiles(plans, this.#base?.roots)]
    for (const { digest } of this.#base?.index.blobs ?? []) contents.delete(digest)
    const absent = plans.flatMap((plan) => (plan.absent ?? []).map(({ digest }) => digest))
    const held = new Set([...contents.keys(), ...(this.#base?.index.blobs ?? []).map(({ digest }) => digest)])
    const left = [...new Set([...(this.#base?.index.absent ?? []), ...absent])].filter(
      (digest) => !held.has(digest),
    )
    const places = layOut([...contents.values()], files, left.sort(byBytes), this.#base)
    const boot = await (this.#options.bootId ?? bootId)()
    const { syncEveryBytes } = this.#options
    return Work.begin(this.#fs, this.#path, places, this.#pool, boot, this.#base?.tails ?? [], syncEveryBytes)
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
