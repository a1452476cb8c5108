import { randomUUID } from 'node:crypto'
import type { OpenFile } from '#base/index.ts'
import { type Descriptor, type Digest, Digester, digestAlgorithm, mediaTypes } from '#oci/index.ts'
import { failure } from '../codes.ts'
import type { Upload } from '../types.ts'
import { errnoOf } from './durable.ts'
import type { RepositoryPaths } from './paths.ts'
import type { Shelves } from './shelves.ts'

const idGrammar = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
export const isUploadId = (text: string): boolean => idGrammar.test(text)

const bufferBytes = 1024 * 1024

/** A push in progress: a file that grows, hashed as it does. */
export class FileUpload implements Upload {
  readonly id: string
  readonly #shelves: Shelves
  readonly #paths: RepositoryPaths
  readonly #link: (digest: Digest) => Promise<void>
  readonly #file: OpenFile
  readonly #digester: Digester
  /** Bytes in the file. */
  #written: number
  /** Whether the file may hold bytes that are not on the disk yet. */
  #dirty: boolean
  #ended = false

  private constructor(
    shelves: Shelves,
    paths: RepositoryPaths,
    id: string,
    link: (digest: Digest) => Promise<void>,
    file: OpenFile,
    digester: Digester,
    written: number,
    dirty: boolean,
  ) {
    this.#shelves = shelves
    this.#paths = paths
    this.id = id
    this.#link = link
    this.#file = file
    this.#digester = digester
    this.#written = written
    this.#dirty = dirty
  }

  static async begin(
    shelves: Shelves,
    paths: RepositoryPaths,
    link: (digest: Digest) => Promise<void>,
  ): Promise<FileUpload> {
    const id = randomUUID()
    const file = await shelves.fs.open(paths.upload(id), 'exclusive')
    return new FileUpload(shelves, paths, id, link, file, new Digester(), 0, false)
  }

  static async takeUp(
    shelves: Shelves,
    paths: RepositoryPaths,
    id: string,
    link: (digest: Digest) => Promise<void>,
  ): Promise<FileUpload | undefined> {
    if (!(await shelves.fs.stat(paths.upload(id)))) return undefined
    const file = await shelves.fs.open(paths.upload(id), 'update')
    try {
      const size = await file.size()
      const state = shelves.uploadStates.take(id, size)
      const digester = state?.digester ?? (await hashFile(file, 'sha256'))
      // A process that was killed has not synced what it wrote.
      return new FileUpload(shelves, paths, id, link, file, digester, size, !state)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  get offset(): number {
    return this.#written
  }

  async append(bytes: Uint8Array): Promise<void> {
    this.#dirty = true
    await this.#file.write(bytes, this.#written)
    // Only what is in the file counts: after a full disk the same bytes come again.
    this.#digester.update(bytes)
    this.#written += bytes.length
  }

  async finish(digest: Digest): Promise<Descriptor> {
    const algorithm = digestAlgorithm(digest)
    // Which algorithm it is to be is known only now; sha256 was computed on the way.
    const actual = (algorithm === 'sha256' ? this.#digester : await hashFile(this.#file, algorithm)).finish()
    if (actual !== digest) {
      await this.cancel()
      throw failure('DIGEST_MISMATCH', `the upload has the digest ${actual}, not ${digest}`, {
        detail: { expected: digest, actual },
      })
    }
    if (this.#dirty) await this.#file.sync()
    // Bytes that came long ago would look like garbage the moment they have their name.
    await this.#shelves.fs.touch(this.#paths.upload(this.id))
    const directory = this.#shelves.paths.blobDirectory(digest)
    await this.#shelves.fs.makeDirectory(directory)
    await this.#end()
    const { fs, durable, paths } = this.#shelves
    await durable.named(directory, () =>
      fs.rename(this.#paths.upload(this.id), paths.blob(digest)).catch((error: unknown) => {
        if (errnoOf(error) !== 'ENOENT') throw error
        throw failure('UPLOAD_UNKNOWN', `the upload ${this.id} has expired`, { cause: error })
      }),
    )
    await this.#link(digest)
    return { mediaType: mediaTypes.octets, digest, size: this.#written }
  }

  async cancel(): Promise<void> {
    await this.#end()
    await this.#shelves.fs.remove(this.#paths.upload(this.id))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return
    try {
      // What the client is told to have arrived must be there after a power cut.
      if (this.#dirty) await this.#file.sync()
      this.#shelves.uploadStates.keep(this.id, { digester: this.#digester, offset: this.#written })
    } finally {
      await this.#end()
    }
  }

  async #end(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    await this.#file.close()
  }
}

async function hashFile(file: OpenFile, algorithm: 'sha256' | 'sha384' | 'sha512'): Promise<Digester> {
  const digester = new Digester(algorithm)
  const buffer = Buffer.allocUnsafe(bufferBytes)
  for (let at = 0; ; ) {
    const count = await file.read(buffer, at)
    if (count === 0) return digester
    digester.update(buffer.subarray(0, count))
    at += count
  }
}
