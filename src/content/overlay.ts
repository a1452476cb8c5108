import { type Descriptor, type Digest, isDigest, isManifestType } from '#oci/index.ts'
import { failure } from './codes.ts'
import { isStore } from './is-store.ts'
import { pageOf } from './paging.ts'
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

/**
 * Repositories that are read only (an archive on a disc) with others over them that take what is pushed: reading
 * looks above first, writing goes above, and what lies below can be neither deleted nor untagged.
 */
export function overlay(lower: Repositories, upper: Repositories): Repositories {
  const storeOf = async (name: string): Promise<Store> => {
    const above = await upper.create?.(name)
    if (!above) throw failure('CONTENT_READ_ONLY', 'the overlay cannot be written to')
    return above
  }
  const open = async (name: string): Promise<OverlayStore> =>
    new OverlayStore(await lower.repository(name), await storeOf(name), lower)
  return {
    async repository(name) {
      const [below, above] = await Promise.all([lower.repository(name), upper.repository(name)])
      if (above && isStore(above)) return new OverlayStore(below, above, lower)
      // A repository is made above once something is written to it: to read is not to write.
      return below
    },
    create: open,
    async names(page) {
      return pageOf(new Set([...(await lower.names()), ...(await upper.names())]), page)
    },
  }
}

class OverlayStore implements Store {
  readonly #below: Repository | undefined
  readonly #above: Store
  readonly #lower: Repositories

  constructor(below: Repository | undefined, above: Store, lower: Repositories) {
    this.#below = below
    this.#above = above
    this.#lower = lower
  }

  async resolve(reference: string, options?: CallOptions): Promise<Descriptor> {
    const digest = isDigest(reference)
    const tags = digest ? [] : await this.#above.tags()
    if (!this.#below || tags.includes(reference)) return this.#above.resolve(reference, options)
    if (digest && (await this.#above.find(reference, options))) return this.#above.resolve(reference, options)
    return this.#below.resolve(reference, options)
  }

  async open(content: Descriptor, range?: ByteRange, options?: CallOptions): Promise<ByteReader> {
    const from = (await this.#above.find(content.digest, options))
      ? this.#above
      : (this.#below ?? this.#above)
    return from.open(content, range, options)
  }

  async find(digest: Digest, options?: CallOptions): Promise<Descriptor | undefined> {
    return (await this.#above.find(digest, options)) ?? this.#below?.find(digest, options)
  }

  async has(content: Descriptor, options?: CallOptions): Promise<boolean> {
    if (await this.#above.has(content, options)) return true
    const below = await this.#below?.find(content.digest, options)
    return (
      below?.size === content.size && isManifestType(below.mediaType) === isManifestType(content.mediaType)
    )
  }

  async tags(page?: { after?: string; limit?: number }): Promise<readonly string[]> {
    return pageOf(new Set([...((await this.#below?.tags()) ?? []), ...(await this.#above.tags())]), page)
  }

  async *referrers(
    subject: Digest,
    artifactType?: string,
    options?: CallOptions,
  ): AsyncGenerator<Descriptor> {
    const seen = new Set<Digest>()
    for (const side of [this.#above, this.#below]) {
      for await (const descriptor of side?.referrers(subject, artifactType, options) ?? []) {
        if (!seen.has(descriptor.digest)) yield descriptor
        seen.add(descriptor.digest)
      }
    }
  }

  write(content: Descriptor, from: OpenAt, options?: CallOptions): Promise<WriteOutcome> {
    return this.#above.write(content, from, options)
  }

  /** A manifest from below is lifted, so that the tag above names something there. */
  async tag(manifest: Descriptor, reference: string, options?: CallOptions): Promise<void> {
    if (!(await this.#above.has(manifest, options))) await this.#lift(this.#below, manifest, options)
    await this.#above.tag(manifest, reference, options)
  }

  async mount(digest: Digest, from: string | undefined): Promise<boolean> {
    if (await this.#above.mount(digest, from)) return true
    const neighbour = from === undefined ? undefined : await this.#lower.repository(from)
    const content = await neighbour?.find(digest)
    if (!content) return false
    await this.#lift(neighbour, content)
    return true
  }

  beginUpload(): Promise<Upload> {
    return this.#above.beginUpload()
  }

  upload(id: string): Promise<Upload | undefined> {
    return this.#above.upload(id)
  }

  async untag(tag: string): Promise<boolean> {
    return (await this.#above.untag(tag)) || this.#refuse((await this.#below?.tags())?.includes(tag))
  }

  async delete(digest: Digest): Promise<boolean> {
    return (await this.#above.delete(digest)) || this.#refuse((await this.#below?.find(digest)) !== undefined)
  }

  async #lift(from: Repository | undefined, content: Descriptor, options?: CallOptions): Promise<void> {
    if (!from) throw failure('CONTENT_NOT_FOUND', `there is no ${content.digest} here`)
    await this.#above.write(content, (offset) => from.open(content, { offset }, options), options)
  }

  #refuse(isBelow: boolean | undefined): false {
    if (isBelow) throw failure('CONTENT_READ_ONLY', 'what lies below an overlay cannot be taken away')
    return false
  }
}
