import { isFailure } from '#base/index.ts'
import {
  type ByteRange,
  type ByteReader,
  bytesReader,
  type CallOptions,
  Check,
  clampRange,
  contentFailure,
  type OpenAt,
  type Plan,
  parallel,
  type Referrers,
  type Repository,
  type Target,
  type WriteOutcome,
} from '#content/index.ts'
import {
  childrenOf,
  type Descriptor,
  type Digest,
  isDigest,
  isManifestType,
  makeReference,
  mediaTypes,
  parseManifest,
  referrerDescriptor,
} from '#oci/index.ts'
import { openBlob } from './blob-download.ts'
import { type PushMeans, pushBlob } from './blob-push.ts'
import { failure } from './codes.ts'
import { noteReferrer } from './fallback-index.ts'
import { field } from './http/exchange.ts'
import { type FetchedManifest, getManifest, headManifest, putManifest } from './manifests.ts'
import { blobPath, firstOf, notFound, type Place, placeName, pullScope, pushScope } from './place.ts'
import { readWholeSource, SourceFailed } from './push-source.ts'
import { RecentManifests } from './recent-manifests.ts'
import { listReferrers, type ReferrersApi } from './referrers.ts'
import { parseProblems, refusal } from './refusal.ts'
import { probeSparseIndex, type SparseIndexProbe } from './sparse-index.ts'
import { listTags } from './tags.ts'

/**
 * One repository on a registry, as a source and as a target. Reads ask the mirrors first; writes go to the registry.
 * Made by `RegistryClient.repository`.
 */
export class RegistryRepository implements Repository, Target, Referrers {
  readonly #means: PushMeans
  readonly #origin: Place
  /** Mirrors, and the registry itself as the last. */
  readonly #places: readonly Place[]
  readonly #api: ReferrersApi = { missing: false }
  readonly #mirrorApis = new Map<Place, ReferrersApi>()
  readonly #recent = new RecentManifests()
  /** What was asked for and not found, so that its write does not ask again. */
  readonly #absent = new Set<string>()
  #plannedRoots: ReadonlySet<Digest> = new Set()
  readonly #presentRoots = new Map<Digest, Descriptor>()

  constructor(means: PushMeans, mirrors: readonly Place[]) {
    this.#means = means
    this.#origin = means.place
    this.#places = [...mirrors, means.place]
  }

  /** HOST/REPOSITORY. */
  get name(): string {
    return placeName(this.#origin)
  }

  /** @throws CONTENT_NOT_FOUND, REFERENCE_INVALID, and the codes of `RegistryHost.send` */
  async resolve(reference: string, { signal }: CallOptions = {}): Promise<Descriptor> {
    this.#checkReference(reference)
    const found = await firstOf(this.#places, signal, (place) => headManifest(place, reference, { signal }))
    if (!found) throw notFound(this.#origin, isDigest(reference) ? reference : `tag ${reference}`)
    return found
  }

  async open(content: Descriptor, range?: ByteRange, { signal }: CallOptions = {}): Promise<ByteReader> {
    const { offset, length } = clampRange(content.size, range)
    if (isManifestType(content.mediaType)) {
      const { bytes } = await this.#manifest(content, signal)
      return bytesReader(bytes.subarray(offset, offset + length))
    }
    const reader = await openBlob(this.#places, content, { offset, end: offset + length }, signal)
    if (this.#places.length === 1) this.#note(content.digest)
    return reader
  }

  async *referrers(
    subject: Digest,
    artifactType?: string,
    { signal }: CallOptions = {},
  ): AsyncGenerator<Descriptor> {
    for (const mirror of this.#places.slice(0, -1)) {
      const api = this.#mirrorApis.get(mirror) ?? { missing: false }
      this.#mirrorApis.set(mirror, api)
      try {
        yield* await Array.fromAsync(listReferrers(mirror, api, subject, artifactType, signal))
        return
      } catch (error) {
        signal?.throwIfAborted()
        if (!isFailure(error)) throw error
      }
    }
    yield* listReferrers(this.#origin, this.#api, subject, artifactType, signal)
  }

  async find(digest: Digest, { signal }: CallOptions = {}): Promise<Descriptor | undefined> {
    const manifest = await firstOf(this.#places, signal, (place) => headManifest(place, digest, { signal }))
    if (manifest) return manifest
    const blob = await firstOf(this.#places, signal, (place) => this.#headBlob(place, digest, signal))
    if (!blob) return undefined
    if (blob.size === undefined) {
      throw failure('REGISTRY_ANSWER_INVALID', `${this.name} does not tell the size of ${digest}`)
    }
    return { mediaType: mediaTypes.octets, digest, size: blob.size }
  }

  tags(
    page: { readonly after?: string; readonly limit?: number } & CallOptions = {},
  ): Promise<readonly string[]> {
    return listTags(this.#origin, page, page.signal)
  }

  /** @throws SIZE_MISMATCH where the registry holds this digest with another size */
  async has(content: Descriptor, { signal }: CallOptions = {}): Promise<boolean> {
    const { digest, size } = content
    const isManifest = isManifestType(content.mediaType)
    const held = isManifest
      ? await headManifest(this.#origin, digest, { signal })
      : await this.#headBlob(this.#origin, digest, signal)
    if (!held) {
      if (this.#absent.size < this.#origin.host.pace.limits.knownDigests) this.#absent.add(keyOf(content))
      return false
    }
    if (held.size !== undefined && held.size !== size) {
      throw contentFailure('SIZE_MISMATCH', `${digest} has ${size} bytes, but ${held.size} on ${this.name}`, {
        detail: { expected: size, digest, host: this.#origin.host.registry },
      })
    }
    this.#note(digest)
    if (isManifest && this.#plannedRoots.has(digest)) this.#presentRoots.set(digest, content)
    return true
  }

  /** Writers of the same content share one push. */
  async write(content: Descriptor, from: OpenAt, options: CallOptions = {}): Promise<WriteOutcome> {
    const { pushes } = this.#means.memory
    const key = `${this.#origin.repository} ${keyOf(content)}`
    for (let under = pushes.get(key); under; under = pushes.get(key)) {
      const outcome = await under.catch(() => undefined)
      options.signal?.throwIfAborted()
      if (outcome) return 'present'
    }
    const push = this.#write(content, from, options)
    pushes.set(key, push)
    try {
      return await push
    } finally {
      if (pushes.get(key) === push) pushes.delete(key)
    }
  }

  async tag(manifest: Descriptor, reference: string, { signal }: CallOptions = {}): Promise<void> {
    this.#checkReference(reference)
    let held = this.#recent.get(manifest.digest)
    if (!held) {
      const named = await headManifest(this.#origin, reference, { signal })
      if (named?.digest === manifest.digest) return
      held = await this.#manifest(manifest, signal, [this.#origin])
    }
    await putManifest(this.#origin, reference, held, { signal })
  }

  /**
   * Pushes a manifest and lets these tags name it. What it names must be there already.
   *
   * @throws DIGEST_MISMATCH, SIZE_MISMATCH, MANIFEST_INVALID, and the codes of `RegistryHost.send`
   */
  async pushManifest(
    descriptor: Descriptor,
    bytes: Uint8Array,
    tags: readonly string[] = [],
    options: CallOptions = {},
  ): Promise<void> {
    const check = new Check(descriptor)
    check.update(bytes)
    check.finish()
    await this.#putManifest({ descriptor, bytes }, options.signal)
    for (const tag of tags) await this.tag(descriptor, tag, options)
  }

  /**
   * Sees that the registry is there and lets us in, and, where an index with absent children will come, that it takes
   * such a one.
   *
   * @throws REGISTRY_SPARSE_REFUSED, and the codes of `RegistryHost.send`
   */
  async prepare(plan: Plan, { signal }: CallOptions = {}): Promise<void> {
    const { host } = this.#origin
    const call = { method: 'GET', to: '/v2/', scope: pushScope(this.#origin), signal } as const
    const { reply, bytes } = await host.ask(call, host.pace.limits.errorBytes)
    if (reply.status !== 200) throw refusal(reply, parseProblems(bytes), 'say that it is a registry')
    this.#plannedRoots = new Set(plan.roots.map(({ digest }) => digest))
    this.#presentRoots.clear()
    if (!plan.absent?.some(({ mediaType }) => isManifestType(mediaType))) return
    const probe = await this.supportsSparseIndex({ signal })
    if (!probe.supported) {
      throw failure('REGISTRY_SPARSE_REFUSED', `${this.name} takes no index with absent children`, {
        detail: { done: probe.done },
      })
    }
  }

  /** Finds out whether the registry takes an index with absent children, by giving it one. */
  supportsSparseIndex({ signal }: CallOptions = {}): Promise<SparseIndexProbe> {
    return probeSparseIndex(this.#origin, signal)
  }

  /** Lists referrers that were there already, where a process was killed between pushing and listing them. */
  async commit({ signal }: CallOptions = {}): Promise<void> {
    const present = [...this.#presentRoots.values()]
    this.#presentRoots.clear()
    await parallel(present, 4, async (descriptor) => {
      const held = await this.#manifest(descriptor, signal, [this.#origin])
      const manifest = parseManifest(held.bytes, descriptor.mediaType)
      if (!manifest.subject) return
      for await (const known of listReferrers(
        this.#origin,
        this.#api,
        manifest.subject.digest,
        undefined,
        signal,
      )) {
        if (known.digest === descriptor.digest) return
      }
      if (!this.#api.missing) return
      const entry = referrerDescriptor(manifest, held.descriptor)
      await noteReferrer(this.#origin, this.#means.memory, manifest.subject.digest, entry, signal)
    })
  }

  async #write(content: Descriptor, from: OpenAt, options: CallOptions): Promise<WriteOutcome> {
    const knownAbsent = this.#absent.delete(keyOf(content))
    if (!knownAbsent && (await this.has(content, options))) return 'present'
    this.#absent.delete(keyOf(content))
    let outcome: WriteOutcome = 'copied'
    if (isManifestType(content.mediaType)) {
      const bytes = await this.#readManifest(content, from, options.signal)
      await this.#putManifest({ descriptor: content, bytes }, options.signal)
    } else outcome = await pushBlob(this.#means, content, from, options.signal)
    this.#note(content.digest)
    return outcome
  }

  /** Verified here, since it is in hand; a registry's refusal would say less. */
  async #readManifest(
    content: Descriptor,
    from: OpenAt,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    const { manifestBytes } = this.#origin.host.pace.limits
    if (content.size > manifestBytes) {
      throw contentFailure(
        'SIZE_MISMATCH',
        `the manifest ${content.digest} is over the limit of ${manifestBytes} bytes`,
      )
    }
    try {
      const bytes = await readWholeSource(from, content, signal)
      const check = new Check(content)
      check.update(bytes)
      check.finish()
      return bytes
    } catch (error) {
      throw error instanceof SourceFailed ? error.error : error
    }
  }

  async #putManifest(fetched: FetchedManifest, signal: AbortSignal | undefined): Promise<void> {
    const { mediaType, digest, size } = fetched.descriptor
    const manifest = parseManifest(fetched.bytes, mediaType)
    const reply = await putManifest(this.#origin, digest, fetched, { signal })
    this.#recent.keep({ descriptor: { mediaType, digest, size }, bytes: fetched.bytes })
    this.#noteChildren(fetched)
    // distribution-spec, Pushing Manifests with Subject: who does not answer OCI-Subject lists nothing by itself.
    if (!manifest.subject || field(reply.headers, 'oci-subject') !== undefined) return
    const entry = referrerDescriptor(manifest, fetched.descriptor)
    await noteReferrer(this.#origin, this.#means.memory, manifest.subject.digest, entry, signal)
  }

  async #manifest(
    content: Descriptor,
    signal: AbortSignal | undefined,
    places: readonly Place[] = this.#places,
  ): Promise<FetchedManifest> {
    const kept = this.#recent.get(content.digest)
    if (kept && kept.descriptor.mediaType === content.mediaType) return kept
    const { mediaType, digest, size } = content
    const fetched = await firstOf(places, signal, (place) =>
      getManifest(place, digest, { signal, mediaType }),
    )
    if (!fetched) throw notFound(this.#origin, digest)
    if (fetched.bytes.length !== size) {
      throw contentFailure(
        'SIZE_MISMATCH',
        `${digest} should have ${size} bytes, but has ${fetched.bytes.length}`,
      )
    }
    const manifest = { descriptor: { mediaType, digest, size }, bytes: fetched.bytes }
    this.#recent.keep(manifest)
    if (places.length === 1) this.#noteChildren(manifest)
    return manifest
  }

  /** Whether the blob is there, with its size where the registry tells it (behind compressing proxies some do not). */
  async #headBlob(
    place: Place,
    digest: Digest,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly size: number | undefined } | undefined> {
    const { host } = place
    const call = { method: 'HEAD', to: blobPath(place, digest), scope: pullScope(place), signal } as const
    const reply = await host.send(call)
    await reply.body.close()
    if (reply.status === 404) return undefined
    if (reply.status !== 200) throw refusal(reply, [], `tell whether it has ${digest}`)
    const length = field(reply.headers, 'content-length')
    return { size: length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined }
  }

  #note(digest: Digest): void {
    this.#means.memory.places.note(digest, this.#origin.repository)
  }

  /** What a manifest in here names is in here too, so neighbours may mount it. */
  #noteChildren({ descriptor, bytes }: FetchedManifest): void {
    try {
      for (const child of childrenOf(parseManifest(bytes, descriptor.mediaType))) {
        if (!isManifestType(child.mediaType)) this.#note(child.digest)
      }
    } catch (error) {
      // Whoever asked for the bytes parses them, and says what is wrong with them.
      if (!isFailure(error)) throw error
    }
  }

  /** @throws REFERENCE_INVALID */
  #checkReference(reference: string): void {
    if (isDigest(reference)) return
    makeReference({
      registry: this.#origin.host.registry,
      repository: this.#origin.repository,
      tag: reference,
    })
  }
}

const keyOf = ({ mediaType, digest }: Descriptor): string =>
  `${isManifestType(mediaType) ? 'm' : 'b'}${digest}`
