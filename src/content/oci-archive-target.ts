import { dirname } from 'node:path'
import { type FileSystem, nodeFileSystem, type OpenFile } from '#base/index.ts'
import { type Descriptor, type Digest, isDigest, isManifestType } from '#oci/index.ts'
import { tarHeader } from './archive/tar-header.ts'
import { failure } from './codes.ts'
import { assertFree, FileReader } from './layout-directory.ts'
import { layoutBlobPath, layoutFiles } from './layout-files.ts'
import { receiveFile } from './layout-target.ts'
import { byBytes } from './paging.ts'
import { mergeRoots, plannedRoots } from './planned-roots.ts'
import { clampRange } from './readers.ts'
import { tarBlockBytes } from './tar-header.ts'
import type { ByteRange, ByteReader, CallOptions, OpenAt, Plan, Target, WriteOutcome } from './types.ts'
import { WriteTurns } from './write-turns.ts'

export interface OciArchiveTargetOptions {
  readonly fs?: FileSystem
  /** HOST/PATH: prefixed to tags, so that the names in index.json are whole. Bare tags where it is not said. */
  readonly repository?: string
}

/** Where one member's content lies, and what comes before it. */
interface Place {
  readonly content: Descriptor
  readonly header: Uint8Array
  readonly offset: number
}

/**
 * Writes an oci-archive: an uncompressed tar of an OCI layout, `oci-layout` and `index.json` first, then manifests,
 * then blobs, both by digest, so that the same content gives the same bytes. Every place is known in `prepare`;
 * blobs arrive in any order, several at once. The file is FILE.partial until `commit`, and a rerun starts over.
 */
export class OciArchiveTarget implements Target, AsyncDisposable {
  readonly #path: string
  readonly #fs: FileSystem
  readonly #repository: string | undefined
  readonly #places = new Map<Digest, Place>()
  readonly #written = new Set<Digest>()
  readonly #turns = new WriteTurns()
  #plan: Plan | undefined
  #file: OpenFile | undefined

  constructor(path: string, options: OciArchiveTargetOptions = {}) {
    this.#path = path
    this.#fs = options.fs ?? nodeFileSystem
    this.#repository = options.repository
  }

  get #partial(): string {
    return `${this.#path}.partial`
  }

  async prepare(plan: Plan): Promise<void> {
    if (this.#file) throw failure('CONTENT_READ_ONLY', 'the places in the archive are laid out already')
    const small = layoutFiles(mergeRoots([], plannedRoots(plan, this.#repository)))
    const heads = small.flatMap(({ path, bytes }) => [
      tarHeader(path, bytes.length),
      bytes,
      padding(bytes.length),
    ])
    const head = Buffer.concat(heads)
    const sizeBytes = this.#layOut(plan, head.length)
    await this.#fs.remove(this.#partial)
    await assertFree(this.#fs, this.#path, sizeBytes)
    await this.#fs.makeDirectory(dirname(this.#path))
    this.#file = await this.#fs.open(this.#partial, 'exclusive')
    // The paddings and the end are zeros, and need no writing.
    await this.#file.truncate(sizeBytes)
    await this.#file.write(head, 0)
    this.#plan = plan
  }

  /** Returns the size of the whole file. */
  #layOut(plan: Plan, start: number): number {
    const rank = ({ mediaType, digest }: Descriptor) => `${isManifestType(mediaType) ? 0 : 1}${digest}`
    let at = start
    for (const content of [...plan.contents].sort((a, b) => byBytes(rank(a), rank(b)))) {
      const header = tarHeader(layoutBlobPath(content.digest), content.size)
      const offset = at + header.length
      this.#places.set(content.digest, { content, header, offset })
      at = offset + content.size + padding(content.size).length
    }
    return at + 2 * tarBlockBytes
  }

  async has({ digest }: Descriptor): Promise<boolean> {
    return this.#written.has(digest)
  }

  async write(content: Descriptor, from: OpenAt, options?: CallOptions): Promise<WriteOutcome> {
    const place = this.#places.get(content.digest)
    const file = this.#file
    if (!place || !file) {
      throw failure('CONTENT_READ_ONLY', `${content.digest} was not in the plan of the archive`)
    }
    return this.#turns.take(
      content.digest,
      () => this.#written.has(content.digest),
      () => this.#receive(file, place, from, options),
    )
  }

  async #receive(
    file: OpenFile,
    { content, header, offset }: Place,
    from: OpenAt,
    options?: CallOptions,
  ): Promise<void> {
    await file.write(header, offset - header.length)
    const region = {
      size: async () => 0,
      truncate: async () => undefined,
      read: async () => 0,
      write: (bytes: Uint8Array, position: number) => file.write(bytes, offset + position),
    }
    await receiveFile(region, content, from, options)
    this.#written.add(content.digest)
  }

  async open(content: Descriptor, range?: ByteRange): Promise<ByteReader> {
    const place = this.#places.get(content.digest)
    const file = this.#file
    if (!place || !file || !this.#written.has(content.digest)) {
      throw failure('CONTENT_NOT_FOUND', `${content.digest} is not in the archive yet`)
    }
    const { offset, length } = clampRange(place.content.size, range)
    const borrowed = {
      read: (into: Uint8Array, position: number) => file.read(into, position),
      close: async () => undefined,
    }
    return new FileReader(borrowed, { offset: place.offset + offset, length })
  }

  async resolve(reference: string): Promise<Descriptor> {
    const named = isDigest(reference)
      ? this.#places.get(reference)?.content
      : this.#plan?.taggings.find((tagging) => tagging.reference === reference)?.manifest
    if (!named || !this.#written.has(named.digest)) {
      throw failure('CONTENT_NOT_FOUND', `nothing is named ${reference} in ${this.#path}`)
    }
    return named
  }

  /** `index.json` names what was planned already. @throws CONTENT_READ_ONLY where this was not */
  async tag(manifest: Descriptor, reference: string): Promise<void> {
    const planned = this.#plan?.taggings.some(
      (tagging) => tagging.reference === reference && tagging.manifest.digest === manifest.digest,
    )
    if (!planned) throw failure('CONTENT_READ_ONLY', `${reference} was not in the plan of the archive`)
  }

  /** Gives the file its name, once all of it is on the disk. @throws CONTENT_NOT_FOUND where something is missing */
  async commit(): Promise<void> {
    const file = this.#file
    if (!file) throw failure('CONTENT_READ_ONLY', 'nothing was prepared')
    for (const digest of this.#places.keys()) {
      if (!this.#written.has(digest)) throw failure('CONTENT_NOT_FOUND', `${digest} was never written`)
    }
    await file.sync()
    this.#file = undefined
    await file.close()
    await this.#fs.rename(this.#partial, this.#path)
    await this.#fs.syncDirectory(dirname(this.#path))
  }

  /** Lets go of a file that was not finished, and removes it: a rerun would not take it up. */
  async [Symbol.asyncDispose](): Promise<void> {
    const file = this.#file
    if (!file) return
    this.#file = undefined
    await this.#turns.settled()
    await file.close()
    await this.#fs.remove(this.#partial)
  }
}

const padding = (sizeBytes: number): Uint8Array =>
  new Uint8Array((tarBlockBytes - (sizeBytes % tarBlockBytes)) % tarBlockBytes)
