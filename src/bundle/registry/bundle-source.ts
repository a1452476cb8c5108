import { isFailure, limits } from '#base/index.ts'
import {
  type ByteRange,
  type ByteReader,
  bytesReader,
  type CallOptions,
  clampRange,
  contentFailure,
  parallel,
  type Referrers,
  readVerified,
  type Source,
} from '#content/index.ts'
import {
  childrenOf,
  type Descriptor,
  type Digest,
  isDigest,
  isManifestType,
  parseManifest,
} from '#oci/index.ts'
import type { CnabBundle } from '../bundle-schema.ts'
import { type LocateImage, locateChecked } from '../relocation/locate.ts'
import { bundleImages } from '../relocation/mapping.ts'
import { type BundleIndex, bundleToIndex, type ConfigDress } from './bundle-to-index.ts'

/** A bundle as one graph to copy from: its index on top, its images below, wherever each of them is. */
export interface BundleGraph {
  readonly root: Descriptor
  readonly index: BundleIndex
  readonly source: Source & Referrers
}

/**
 * Finds all images of a bundle, checks them against their contentDigest, and joins them under the bundle's index
 * (201). `copy(root, source, target)` then packs or publishes it.
 *
 * @throws IMAGE_DIGEST, BUNDLE_INVALID, IMAGE_UNPINNED, and what `locate` throws
 */
export async function openBundleGraph(
  bundle: CnabBundle,
  locate: LocateImage,
  options: CallOptions & { readonly dress?: ConfigDress } = {},
): Promise<BundleGraph> {
  const images = bundleImages(bundle)
  const located = await parallel(images, 8, (image) => locateChecked(image, locate, options))
  const roots = new Map(images.map(({ image }, at) => [image, located[at]!.root]))
  const index = bundleToIndex(bundle, ({ image }) => roots.get(image), options.dress)
  const source = new JoinedSource(index)
  for (const { root, source: from } of located) source.learn(root.digest, from)
  return { root: index.root.descriptor, index, source }
}

/** Knows for each content which source has it: manifests are read through here, and tell where their children are. */
class JoinedSource implements Source, Referrers {
  readonly #documents: ReadonlyMap<Digest, { readonly descriptor: Descriptor; readonly bytes: Uint8Array }>
  readonly #root: Descriptor
  readonly #ways = new Map<Digest, Source | (Source & Referrers)>()

  constructor({ root, configManifest, config }: BundleIndex) {
    this.#root = root.descriptor
    this.#documents = new Map(
      [root, configManifest, config].map((document) => [document.descriptor.digest, document]),
    )
  }

  learn(digest: Digest, source: Source | (Source & Referrers)): void {
    if (!this.#ways.has(digest)) this.#ways.set(digest, source)
  }

  async resolve(reference: string, options: CallOptions = {}): Promise<Descriptor> {
    if (reference === this.#root.digest) return this.#root
    // A legacy signature's tag names the digest of what it signs.
    const subject = /^(sha\d+)-([0-9a-f]+)\.\w+$/.exec(reference)
    const digest = subject ? `${subject[1]}:${subject[2]}` : reference
    const source = isDigest(digest) ? this.#ways.get(digest) : undefined
    if (!source) throw contentFailure('CONTENT_NOT_FOUND', `no content is named ${reference}`)
    const found = await source.resolve(reference, options)
    this.learn(found.digest, source)
    return found
  }

  async open(content: Descriptor, range?: ByteRange, options: CallOptions = {}): Promise<ByteReader> {
    const own = this.#documents.get(content.digest)
    if (own) {
      const { offset, length } = clampRange(own.bytes.length, range)
      return bytesReader(own.bytes.subarray(offset, offset + length))
    }
    const source = this.#ways.get(content.digest)
    if (!source) throw contentFailure('CONTENT_NOT_FOUND', `there is no ${content.digest}`)
    if (range || !isManifestType(content.mediaType)) return source.open(content, range, options)
    const bytes = await readVerified(source, content, limits.manifestBytes, options)
    for (const child of childrenOf(parseManifest(bytes, content.mediaType))) this.learn(child.digest, source)
    return bytesReader(bytes)
  }

  async *referrers(
    subject: Digest,
    artifactType?: string,
    options?: CallOptions,
  ): AsyncGenerator<Descriptor> {
    const source = this.#ways.get(subject)
    if (!source || !('referrers' in source)) return
    try {
      for await (const descriptor of source.referrers(subject, artifactType, options)) {
        this.learn(descriptor.digest, source)
        yield descriptor
      }
    } catch (error) {
      // A place that knows no referrers has none.
      if (!isFailure(error, 'CONTENT_NOT_FOUND')) throw error
    }
  }
}
