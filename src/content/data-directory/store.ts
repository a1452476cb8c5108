import { limits } from '#base/index.ts'
import {
  childrenOf,
  type Descriptor,
  type Digest,
  isDigest,
  isManifestType,
  isMediaType,
  isRepositoryName,
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
import { statHeld } from './aside.ts'
import { digestFromName, fileName, type RepositoryPaths } from './paths.ts'
import { Recent } from './recent.ts'
import type { Shelves } from './shelves.ts'
import { FileUpload, isUploadId } from './upload.ts'

/** Referrers read together, of a list that may be long. */
const referrersAtOnce = 256

/** One repository of a data directory. */
export class DataStore implements Store {
  readonly #shelves: Shelves
  readonly #paths: RepositoryPaths
  /** What was read of links and referrers, which never change under the same digest. */
  readonly #mediaTypes = new Recent<Digest, { readonly mediaType: string; readonly modifiedMs: number }>(
    20_000,
  )
  readonly #referrers = new Recent<Digest, Descriptor>(20_000)

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
    const file = (await this.#mediaType(content.digest)) && (await this.#shelves.open(content.digest))
    if (!file) throw failure('CONTENT_NOT_FOUND', `there is no ${content.digest} in this repository`)
    return new FileReader(file, clampRange(await file.size(), range))
  }

  async find(digest: Digest, _options?: CallOptions): Promise<Descriptor | undefined> {
    // Renewed before the link is looked at: a collection that has moved the link aside looks at the time again.
    const size = await this.#shelves.renew(digest)
    if (size === undefined) return undefined
    const mediaType = await this.#mediaType(digest)
    return mediaType === undefined ? undefined : { mediaType, digest, size }
  }

  async has(content: Descriptor): Promise<boolean> {
    const found = await this.find(content.digest)
    const isManifest = isManifestType(content.mediaType)
    if (found?.size !== content.size || isManifestType(found.mediaType) !== isManifest) return false
    // Whoever is told so writes it no more.
    await this.#shelves.settle(content.digest)
    await this.#shelves.durable.settle(isManifest ? this.#paths.manifestLinks : this.#paths.blobLinks)
    return true
  }

  async write(content: Descriptor, from: OpenAt, options?: CallOptions): Promise<WriteOutcome> {
    if (await this.has(content)) return 'present'
    const manifest = isManifestType(content.mediaType)
    const outcome = await this.#shelves.receive(content, from, options)
    // Whoever brought it here may have been killed before its name lasted.
    if (outcome === 'present') await this.#shelves.settle(content.digest)
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
      entries.map(({ name }) => name).filter((name) => isTag(name)),
      page,
    )
  }

  async *referrers(subject: Digest, artifactType?: string): AsyncGenerator<Descriptor> {
    const directory = this.#paths.referrersOf(subject)
    const names = await this.#shelves.fs.list(directory)
    // A referrer is entered before its manifest is visible, and may be left over where that was interrupted.
    const manifests = new Set(
      (await this.#shelves.fs.list(this.#paths.manifestLinks)).map(({ name }) => name),
    )
    const there = names.filter(({ name }) => manifests.has(name))
    for (let at = 0; at < there.length; at += referrersAtOnce) {
      const part = there.slice(at, at + referrersAtOnce)
      for (const descriptor of await parallel(part, 16, ({ name }) => this.#referrer(directory, name))) {
        if (!descriptor) continue
        if (artifactType === undefined || descriptor.artifactType === artifactType) yield descriptor
      }
    }
  }

  async untag(tag: string): Promise<boolean> {
    return isTag(tag) && this.#shelves.durable.drop(this.#paths.tag(tag))
  }

  async delete(digest: Digest): Promise<boolean> {
    const { durable, fs } = this.#shelves
    const names = (await fs.list(this.#paths.tags)).map(({ name }) => name).filter((name) => isTag(name))
    await parallel(names, 16, async (name) => {
      if ((await this.#tagged(name)) === digest) await durable.drop(this.#paths.tag(name))
    })
    const wasManifest = await durable.drop(this.#paths.manifestLink(digest))
    if (wasManifest) await this.#forgetReferrer(digest)
    const wasBlob = await durable.drop(this.#paths.blobLink(digest))
    return wasManifest || wasBlob
  }

  async mount(digest: Digest, from: string | undefined): Promise<boolean> {
    if (from !== undefined && !isRepositoryName(from)) return false
    if ((await this.#shelves.renew(digest)) === undefined) return false
    if (from !== undefined && !(await this.#shelves.isIn(from, digest))) return false
    await this.#shelves.settle(digest)
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
    await parallel(childrenOf(manifest), 16, async ({ digest }) => {
      if ((await this.#shelves.renew(digest)) !== undefined) await this.#shelves.settle(digest)
    })
    for (const links of [this.#paths.blobLinks, this.#paths.manifestLinks]) await durable.settle(links)
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

  async #referrer(directory: string, name: string): Promise<Descriptor | undefined> {
    const digest = digestFromName(name)
    if (!digest) return undefined
    const known = this.#referrers.get(digest)
    if (known) return known
    const text = await this.#shelves.durable.text(`${directory}/${name}`, limits.manifestBytes)
    if (text === undefined) return undefined
    const descriptor = parseDescriptor(JSON.parse(text))
    this.#referrers.set(digest, descriptor)
    return descriptor
  }

  async #forgetReferrer(digest: Digest): Promise<void> {
    const subjects = await this.#shelves.fs.list(this.#paths.referrers)
    await parallel(subjects, 16, ({ name }) =>
      this.#shelves.durable.drop(`${this.#paths.referrers}/${name}/${fileName(digest)}`),
    )
  }

  async #link(digest: Digest): Promise<void> {
    await this.#shelves.fs.makeDirectory(this.#paths.blobLinks)
    await this.#shelves.durable.mark(this.#paths.blobLink(digest))
  }

  async #tagged(tag: string): Promise<Digest | undefined> {
    const text = isTag(tag) ? await this.#shelves.durable.text(this.#paths.tag(tag), 1024) : undefined
    return isDigest(text) ? text : undefined
  }

  /** As what a content is in this repository; undefined where it is not. */
  async #mediaType(digest: Digest): Promise<string | undefined> {
    const { fs } = this.#shelves
    const manifest = await this.#manifestType(digest, await fs.stat(this.#paths.manifestLink(digest)))
    if (manifest !== undefined) return manifest
    if (await fs.stat(this.#paths.blobLink(digest))) return mediaTypes.octets
    const held = await this.#manifestType(digest, await statHeld(fs, this.#paths.manifestLink(digest)))
    if (held !== undefined) return held
    return (await statHeld(fs, this.#paths.blobLink(digest))) && mediaTypes.octets
  }

  async #manifestType(
    digest: Digest,
    stat: { readonly modifiedMs: number } | undefined,
  ): Promise<string | undefined> {
    if (!stat) return undefined
    const link = this.#paths.manifestLink(digest)
    const known = this.#mediaTypes.get(digest)
    if (known?.modifiedMs === stat.modifiedMs) return known.mediaType
    const mediaType = await this.#shelves.durable.text(link, 1024)
    if (!isMediaType(mediaType)) return undefined
    this.#mediaTypes.set(digest, { mediaType, modifiedMs: stat.modifiedMs })
    return mediaType
  }
}
