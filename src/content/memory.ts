import { randomUUID } from 'node:crypto'
import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestOf,
  isDigest,
  isManifestType,
  mediaTypes,
  parseManifest,
  referrerDescriptor,
} from '#oci/index.ts'
import { failure } from './codes.ts'
import { pageOf } from './paging.ts'
import { bytesReader, Check, clampRange, stoppable } from './readers.ts'
import type {
  ByteRange,
  ByteReader,
  CallOptions,
  OpenAt,
  Repositories,
  Repository,
  Store,
  Upload,
  WriteOutcome,
} from './types.ts'

interface Held {
  readonly descriptor: Descriptor
  readonly bytes: Uint8Array
}

/** Many repositories in memory, for tests and for small things in passing. */
export class MemoryRepositories implements Repositories {
  readonly #stores = new Map<string, MemoryStore>()

  async repository(name: string): Promise<Repository | undefined> {
    return this.#stores.get(name)
  }

  async create(name: string): Promise<MemoryStore> {
    let store = this.#stores.get(name)
    if (!store) {
      store = new MemoryStore((digest, from) => this.#neighbour(digest, from))
      this.#stores.set(name, store)
    }
    return store
  }

  async names(page?: { after?: string; limit?: number }): Promise<readonly string[]> {
    return pageOf(this.#stores.keys(), page)
  }

  #neighbour(digest: Digest, from: string | undefined): Held | undefined {
    if (from !== undefined) return this.#stores.get(from)?.held(digest)
    for (const store of this.#stores.values()) {
      const held = store.held(digest)
      if (held) return held
    }
    return undefined
  }
}

/** One repository in memory. */
export class MemoryStore implements Store {
  readonly #contents = new Map<Digest, Held>()
  readonly #tags = new Map<string, Digest>()
  readonly #referrers = new Map<Digest, Map<Digest, Descriptor>>()
  readonly #uploads = new Map<string, MemoryUpload>()
  readonly #neighbour: (digest: Digest, from: string | undefined) => Held | undefined

  constructor(neighbour: (digest: Digest, from: string | undefined) => Held | undefined = () => undefined) {
    this.#neighbour = neighbour
  }

  held(digest: Digest): Held | undefined {
    return this.#contents.get(digest)
  }

  async resolve(reference: string): Promise<Descriptor> {
    const digest = isDigest(reference) ? reference : this.#tags.get(reference)
    const held = digest && this.#contents.get(digest)
    if (!held) throw failure('CONTENT_NOT_FOUND', `no content is named ${reference}`)
    return held.descriptor
  }

  async open(content: Descriptor, range?: ByteRange): Promise<ByteReader> {
    const held = this.#contents.get(content.digest)
    if (!held) throw failure('CONTENT_NOT_FOUND', `there is no ${content.digest}`)
    const { offset, length } = clampRange(held.bytes.length, range)
    return bytesReader(held.bytes.subarray(offset, offset + length))
  }

  async find(digest: Digest): Promise<Descriptor | undefined> {
    return this.#contents.get(digest)?.descriptor
  }

  async has({ mediaType, digest }: Descriptor): Promise<boolean> {
    const held = this.#contents.get(digest)
    // Pushed as a blob it is not a manifest yet.
    return held !== undefined && (!isManifestType(mediaType) || isManifestType(held.descriptor.mediaType))
  }

  async write(content: Descriptor, from: OpenAt, options?: CallOptions): Promise<WriteOutcome> {
    if (await this.has(content)) return 'present'
    options?.signal?.throwIfAborted()
    const reader = stoppable(await from(0), options?.signal)
    const check = new Check(content)
    const bytes = new Uint8Array(content.size + 1)
    let filled = 0
    try {
      for (;;) {
        const count = await reader.read(bytes.subarray(filled))
        if (count === 0) break
        check.update(bytes.subarray(filled, filled + count))
        filled += count
      }
    } finally {
      await reader.close()
    }
    check.finish()
    this.#keep(content, bytes.subarray(0, filled))
    return 'copied'
  }

  async tag(manifest: Descriptor, reference: string): Promise<void> {
    if (!this.#contents.has(manifest.digest)) {
      throw failure('CONTENT_NOT_FOUND', `${manifest.digest} is not here, so nothing can name it`)
    }
    this.#tags.set(reference, manifest.digest)
  }

  async tags(page?: { after?: string; limit?: number }): Promise<readonly string[]> {
    return pageOf(this.#tags.keys(), page)
  }

  async *referrers(subject: Digest, artifactType?: string): AsyncGenerator<Descriptor> {
    for (const descriptor of this.#referrers.get(subject)?.values() ?? []) {
      if (artifactType === undefined || descriptor.artifactType === artifactType) yield descriptor
    }
  }

  async untag(tag: string): Promise<boolean> {
    return this.#tags.delete(tag)
  }

  async delete(digest: Digest): Promise<boolean> {
    for (const [tag, named] of this.#tags) if (named === digest) this.#tags.delete(tag)
    for (const list of this.#referrers.values()) list.delete(digest)
    return this.#contents.delete(digest)
  }

  async mount(digest: Digest, from: string | undefined): Promise<boolean> {
    const held = this.#neighbour(digest, from)
    if (held) this.#keep(held.descriptor, held.bytes)
    return held !== undefined
  }

  async beginUpload(): Promise<Upload> {
    const upload = new MemoryUpload(
      (digest, bytes) => this.#finish(digest, bytes),
      (id) => this.#uploads.delete(id),
    )
    this.#uploads.set(upload.id, upload)
    return upload
  }

  async upload(id: string): Promise<Upload | undefined> {
    return this.#uploads.get(id)
  }

  #finish(digest: Digest, bytes: Uint8Array): Descriptor {
    const actual = digestOf(bytes, digestAlgorithm(digest))
    if (actual !== digest)
      throw failure('DIGEST_MISMATCH', `the upload has the digest ${actual}, not ${digest}`)
    const descriptor = { mediaType: mediaTypes.octets, digest, size: bytes.length }
    this.#keep(descriptor, bytes)
    return descriptor
  }

  #keep(content: Descriptor, bytes: Uint8Array): void {
    const { mediaType, digest, size } = content
    const manifest = isManifestType(mediaType) ? parseManifest(bytes, mediaType) : undefined
    const held = this.#contents.get(digest)
    if (!manifest && held && isManifestType(held.descriptor.mediaType)) return
    this.#contents.set(digest, { descriptor: { mediaType, digest, size }, bytes })
    if (!manifest?.subject) return
    const list = this.#referrers.get(manifest.subject.digest) ?? new Map<Digest, Descriptor>()
    list.set(digest, referrerDescriptor(manifest, content))
    this.#referrers.set(manifest.subject.digest, list)
  }
}

class MemoryUpload implements Upload {
  readonly id = randomUUID()
  #bytes = new Uint8Array(0)
  #offset = 0
  readonly #finish: (digest: Digest, bytes: Uint8Array) => Descriptor
  readonly #forget: (id: string) => void

  constructor(finish: (digest: Digest, bytes: Uint8Array) => Descriptor, forget: (id: string) => void) {
    this.#finish = finish
    this.#forget = forget
  }

  get offset(): number {
    return this.#offset
  }

  async append(bytes: Uint8Array): Promise<void> {
    if (this.#offset + bytes.length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#offset + bytes.length))
      grown.set(this.#bytes.subarray(0, this.#offset))
      this.#bytes = grown
    }
    this.#bytes.set(bytes, this.#offset)
    this.#offset += bytes.length
  }

  async finish(digest: Digest): Promise<Descriptor> {
    this.#forget(this.id)
    return this.#finish(digest, this.#bytes.slice(0, this.#offset))
  }

  async cancel(): Promise<void> {
    this.#forget(this.id)
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
