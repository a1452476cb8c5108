import { limits } from '#base/index.ts'
import {
  childrenOf,
  type Descriptor,
  type Digest,
  isDigest,
  isManifestType,
  isMediaType,
  isTag,
  type Manifest,
  mediaTypes,
  parseDescriptor,
  parseManifest,
  referrerDescriptor,
} from '#oci/index.ts'
import { failure } from '../codes.ts'
import { FileReader } from '../layout-directory.ts'
import { pageOf } from '../paging.ts'
import { parallel } from '../parallel.ts'
import { clampRange, readVerified } from '../readers.ts'
import type { ByteRange, ByteReader, CallOptions, OpenAt, Store, Upload, WriteOutcome } from '../types.ts'
import { digestFromName, fileName, type RepositoryPaths } from './paths.ts'
import type { Shelves } from './shelves.ts'
import { FileUpload, isUploadId } from './upload.ts'

/** One repository of a data directory. */
export class DataStore implements Store {
  readonly #shelves: Shelves
  readonly #paths: RepositoryPaths
  /** Blobs known to be linked here: a link only goes when its blob has long been unused. */
  readonly #linked = new Set<Digest>()

  constructor(shelves: Shelves, paths: RepositoryPaths) {
    this.#shelves = shelves
    this.#paths = paths
  }

  async resolve(reference: string, options?: CallOptions): Promise<Descriptor> {
    const digest = isDigest(reference) ? reference : await this.#tagged(reference)
    const found = digest && (await this.find(digest, options))
    if (!found) throw failure('CONTENT_NOT_FOUND', `nothing is named ${reference.slice(0, 200)} here`)
    return found
  }

  async open(content: Descriptor, range?: ByteRange): Promise<ByteReader> {
    const found = await this.find(content.digest)
    if (!found) throw failure('CONTENT_NOT_FOUND', `there is no ${content.digest} in this repository`)
    const file = await this.#shelves.fs.open(this.#shelves.paths.blob(content.digest), 'read')
    return new FileReader(file, clampRange(found.size, range))
  }

  async find(digest: Digest, _options?: CallOptions): Promise<Descriptor | undefined> {
    const mediaType =
      (await this.#manifestType(digest)) ?? ((await this.#isLinked(digest)) ? mediaTypes.octets : undefined)
    if (mediaType === undefined) return undefined
    const size = await this.#shelves.renew(digest)
    return size === undefined ? undefined : { mediaType, digest, size }
  }

  async has(content: Descriptor): Promise<boolean> {
    const found = await this.find(content.digest)
    return (
      found !== undefined &&
      found.size === content.size &&
      isManifestType(found.mediaType) === isManifestType(content.mediaType)
    )
  }

  async write(content: Descriptor, from: OpenAt, options?: CallOptions): Promise<WriteOutcome> {
    if (await this.has(content)) return 'present'
    const manifest = isManifestType(content.mediaType)
    if ((await this.#shelves.renew(content.digest)) !== content.size) {
      await this.#shelves.receive(content, from, options)
    }
    if (manifest) await this.#admit(content)
    else await this.#link(content.digest)
    return 'copied'
  }

  async tag(manifest: Descriptor, reference: string): Promise<void> {
    if (!isTag(reference)) throw failure('CONTENT_NOT_FOUND', 'the tag is malformed')
    if (!(await this.has(manifest))) {
      throw failure('CONTENT_NOT_FOUND', `${manifest.digest} is not here, so nothing can name it`)
    }
    await this.#shelves.fs.makeDirectory(this.#paths.tags)
    await this.#shelves.durable.put(this.#paths.tag(reference), manifest.digest)
  }

  async tags(page?: { after?: string; limit?: number }): Promise<readonly string[]> {
    const entries = await this.#shelves.fs.list(this.#paths.tags)
    return pageOf(
      entries.map(({ name }) => name).filter((name) => isTag(name) && !name.endsWith('.new')),
      page,
    )
  }

  async *referrers(subject: Digest, artifactType?: string): AsyncGenerator<Descriptor> {
    const directory = this.#paths.referrersOf(subject)
    for (const { name } of await this.#shelves.fs.list(directory)) {
      const digest = digestFromName(name)
      if (!digest || (await this.#manifestType(digest)) === undefined) continue
      const text = await this.#shelves.durable.text(`${directory}/${name}`, limits.manifestBytes)
      if (text === undefined) continue
      const descriptor = parseDescriptor(JSON.parse(text))
      if (artifactType === undefined || descriptor.artifactType === artifactType) yield descriptor
    }
  }

  async untag(tag: string): Promise<boolean> {
    return isTag(tag) && this.#shelves.durable.drop(this.#paths.tag(tag))
  }

  async delete(digest: Digest): Promise<boolean> {
    const { durable, fs } = this.#shelves
    for (const { name } of await fs.list(this.#paths.tags)) {
      if (isTag(name) && (await this.#tagged(name)) === digest) await durable.drop(this.#paths.tag(name))
    }
    const wasManifest = await durable.drop(this.#paths.manifestLink(digest))
    if (wasManifest) await this.#forgetReferrer(digest)
    this.#linked.delete(digest)
    const wasBlob = await durable.drop(this.#paths.blobLink(digest))
    return wasManifest || wasBlob
  }

  async mount(digest: Digest, from: string | undefined): Promise<boolean> {
    const isThere = from === undefined || (await this.#shelves.isIn(from, digest))
    if (!isThere || (await this.#shelves.renew(digest)) === undefined) return false
    await this.#link(digest)
    return true
  }

  async beginUpload(): Promise<Upload> {
    await this.#shelves.fs.makeDirectory(this.#paths.uploads)
    return FileUpload.begin(this.#shelves, this.#paths, (digest) => this.#link(digest))
  }

  async upload(id: string): Promise<Upload | undefined> {
    if (!isUploadId(id)) return undefined
    return FileUpload.takeUp(this.#shelves, this.#paths, id, (digest) => this.#link(digest))
  }

  /** Makes a manifest whose bytes are here visible, after what points at it and what it points at. */
  async #admit(content: Descriptor): Promise<void> {
    const { durable, fs } = this.#shelves
    const source = { open: async () => this.#shelves.read(content) }
    const manifest = parseManifest(
      await readVerified(source, content, limits.manifestBytes),
      content.mediaType,
    )
    // What it names is in use from now on: a collection that began earlier must see that.
    await parallel(childrenOf(manifest), 16, ({ digest }) => this.#shelves.renew(digest))
    if (manifest.subject) await this.#enterReferrer(manifest, content)
    await fs.makeDirectory(this.#paths.manifestLinks)
    await durable.put(this.#paths.manifestLink(content.digest), content.mediaType)
  }

  async #enterReferrer(manifest: Manifest, content: Descriptor): Promise<void> {
    const directory = this.#paths.referrersOf((manifest.subject as Descriptor).digest)
    await this.#shelves.fs.makeDirectory(directory)
    const text = JSON.stringify(referrerDescriptor(manifest, content))
    await this.#shelves.durable.put(`${directory}/${fileName(content.digest)}`, text)
  }

  async #forgetReferrer(digest: Digest): Promise<void> {
    for (const { name } of await this.#shelves.fs.list(this.#paths.referrers)) {
      await this.#shelves.durable.drop(`${this.#paths.referrers}/${name}/${fileName(digest)}`)
    }
  }

  async #link(digest: Digest): Promise<void> {
    if (this.#linked.has(digest) && (await this.#shelves.fs.stat(this.#paths.blobLink(digest)))) return
    await this.#shelves.fs.makeDirectory(this.#paths.blobLinks)
    await this.#shelves.durable.mark(this.#paths.blobLink(digest))
    this.#remember(digest)
  }

  async #isLinked(digest: Digest): Promise<boolean> {
    if (this.#linked.has(digest)) return true
    if (!(await this.#shelves.fs.stat(this.#paths.blobLink(digest)))) return false
    this.#remember(digest)
    return true
  }

  #remember(digest: Digest): void {
    if (this.#linked.size > 100_000) this.#linked.clear()
    this.#linked.add(digest)
  }

  async #tagged(tag: string): Promise<Digest | undefined> {
    const text = isTag(tag) ? await this.#shelves.durable.text(this.#paths.tag(tag), 1024) : undefined
    return isDigest(text) ? text : undefined
  }

  async #manifestType(digest: Digest): Promise<string | undefined> {
    const text = await this.#shelves.durable.text(this.#paths.manifestLink(digest), 1024)
    return isMediaType(text) ? text : undefined
  }
}
