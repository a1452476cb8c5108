import { dirname } from 'node:path'
import type { FileSystem, OpenFile } from '#base/index.ts'
import type { Descriptor, Digest } from '#oci/index.ts'
import { assertFree, FileReader } from '../layout-directory.ts'
import { receiveFile } from '../layout-target.ts'
import type { ByteReader, CallOptions, OpenAt, WriteOutcome } from '../types.ts'
import { WriteTurns } from '../write-turns.ts'
import { statHeld } from './aside.ts'
import { Durable, errnoOf } from './durable.ts'
import type { DataPaths } from './paths.ts'
import { UploadStates } from './upload-states.ts'

/** How old a content's time may be before it is renewed: a small part of any sensible grace time. */
export const renewAfterMs = 5 * 60_000

/** The contents that all repositories of a data directory share. */
export class Shelves {
  readonly fs: FileSystem
  readonly paths: DataPaths
  readonly durable: Durable
  readonly uploadStates = new UploadStates()
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly #turns = new WriteTurns()

  constructor(fs: FileSystem, paths: DataPaths, now: () => number) {
    this.fs = fs
    this.paths = paths
    this.durable = new Durable(fs)
    this.now = now
  }

  /**
   * The size of a stored content, whose time is renewed: whoever is told that it is there may rely on it for the
   * grace time of garbage collection, also of one in another process.
   */
  async renew(digest: Digest): Promise<number | undefined> {
    const path = this.paths.blob(digest)
    const stat = await statHeld(this.fs, path)
    if (stat?.kind !== 'file') return undefined
    if (this.now() - stat.modifiedMs > renewAfterMs && !(await this.fs.touch(path))) return undefined
    return stat.sizeBytes
  }

  /** Before anybody is told that a content is here, or builds on it: its name lasts. */
  settle(digest: Digest): Promise<void> {
    return this.durable.settle(this.paths.blobDirectory(digest))
  }

  /** The content's file; undefined where it is absent. */
  async open(digest: Digest): Promise<OpenFile | undefined> {
    const path = this.paths.blob(digest)
    const open = () =>
      this.fs.open(path, 'read').catch((error: unknown) => {
        if (errnoOf(error) === 'ENOENT') return undefined
        throw error
      })
    return (await open()) ?? ((await statHeld(this.fs, path)) ? open() : undefined)
  }

  async read({ digest, size }: Descriptor): Promise<ByteReader> {
    return new FileReader(await this.fs.open(this.paths.blob(digest), 'read'), { offset: 0, length: size })
  }

  /** Whether a repository of this name shows the blob. */
  async isIn(name: string, digest: Digest): Promise<boolean> {
    const paths = this.paths.repository(name)
    const links = await Promise.all([
      this.fs.stat(paths.blobLink(digest)),
      this.fs.stat(paths.manifestLink(digest)),
    ])
    return links.some((link) => link !== undefined)
  }

  /** Takes in a content of known digest unless it is here, after what an interrupted attempt left. */
  receive(content: Descriptor, from: OpenAt, options?: CallOptions): Promise<WriteOutcome> {
    return this.#turns.take(
      content.digest,
      async () => (await this.renew(content.digest)) === content.size,
      () => this.#receive(content, from, options),
    )
  }

  async #receive(content: Descriptor, from: OpenAt, options?: CallOptions): Promise<void> {
    const partial = `${this.paths.blob(content.digest)}.partial`
    const directory = dirname(partial)
    await this.fs.makeDirectory(directory)
    await assertFree(this.fs, directory, content.size)
    const file = await this.fs.open(partial, 'create')
    try {
      await receiveFile(file, content, from, options)
      await file.sync()
    } finally {
      await file.close()
    }
    await this.durable.named(directory, () => this.fs.rename(partial, this.paths.blob(content.digest)))
  }
}
