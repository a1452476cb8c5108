import { isFailure, limits } from '#base/index.ts'
import {
  childrenOf,
  type Descriptor,
  type Digest,
  formatReference,
  isDigest,
  isManifestType,
  isRepositoryName,
  isTag,
  mediaTypes,
  parseManifest,
  parseReference,
  type Reference,
  referrerDescriptor,
} from '#oci/index.ts'
import { refNameAnnotation, repositoryAnnotation } from './annotations.ts'
import { failure } from './codes.ts'
import { pageOf } from './paging.ts'
import { readVerified } from './readers.ts'
import { StrayRoots, subjectOfTag } from './stray-roots.ts'
import type { ByteRange, ByteReader, CallOptions, Repositories, Repository, Root } from './types.ts'

/** What a container must tell to be seen as repositories: its roots, and where bytes are. */
export interface RootedContent {
  roots(): Promise<readonly Root[]>
  /** The size of stored content; undefined where it is not stored. */
  size(digest: Digest): Promise<number | undefined>
  open(digest: Digest, range?: ByteRange): Promise<ByteReader>
}

/**
 * A set of roots seen as repositories. A root named HOST/PATH:TAG is in the repositories HOST/PATH and PATH, so
 * that both a mirror and a plain pull find it (with a port in HOST the first is no name on a registry: it is found by
 * who asks for it, and not listed); a short name is a tag in the repository `shortNames`. A repository shows only what
 * its roots, their referrers and legacy signatures reach. What they reach is found when it is first asked for, and
 * remembered.
 */
export class RootedRepositories implements Repositories {
  readonly #content: RootedContent
  readonly #shortNames: string
  #byName: Promise<ReadonlyMap<string, RootedRepository>> | undefined

  /** @param shortNames the repository of roots without a whole name; they are all in it where there is no other */
  constructor(content: RootedContent, shortNames: string) {
    this.#content = content
    this.#shortNames = shortNames
  }

  async repository(name: string): Promise<Repository | undefined> {
    return (await this.#all()).get(name)
  }

  async names(page?: { after?: string; limit?: number }): Promise<readonly string[]> {
    return pageOf([...(await this.#all()).keys()].filter(isRepositoryName), page)
  }

  #all(): Promise<ReadonlyMap<string, RootedRepository>> {
    this.#byName ??= this.#group().catch((error: unknown) => {
      this.#byName = undefined
      throw error
    })
    return this.#byName
  }

  async #group(): Promise<ReadonlyMap<string, RootedRepository>> {
    const byName = new Map<string, { tags: Map<string, Descriptor>; roots: Descriptor[] }>()
    const roots = await this.#content.roots()
    const strays = new StrayRoots(
      roots.filter((root) => this.#placeOf(root).isStray),
      (descriptor) => readManifest(this.#content, descriptor),
    )
    for (const root of roots) {
      const { names, tag } = this.#placeOf(root)
      for (const name of names) {
        const group = byName.get(name) ?? { tags: new Map<string, Descriptor>(), roots: [] as Descriptor[] }
        byName.set(name, group)
        group.roots.push(root.descriptor)
        if (tag !== undefined) group.tags.set(tag, root.descriptor)
      }
    }
    return new Map(
      [...byName].map(([name, { tags, roots }]) => [
        name,
        // Where they are anyway, they need no search.
        new RootedRepository(this.#content, tags, roots, name === this.#shortNames ? undefined : strays),
      ]),
    )
  }

  #placeOf({ descriptor, reference }: Root): {
    readonly names: readonly string[]
    readonly tag?: string
    readonly isStray?: boolean
  } {
    const repository = descriptor.annotations?.[repositoryAnnotation]
    const whole = wholeName(reference) ?? wholeName(repository)
    if (whole) {
      const names = [`${whole.registry}/${whole.repository}`, whole.repository]
      return whole.tag === undefined ? { names } : { names, tag: whole.tag }
    }
    const isStray = true
    if (reference !== undefined && isTag(reference)) {
      return { names: [this.#shortNames], tag: reference, isStray }
    }
    return { names: [this.#shortNames], isStray }
  }
}

/** A name that holds a host or a path; a bare word is a tag to most tools. */
function wholeName(text: string | undefined): Reference | undefined {
  if (text === undefined || !text.includes('/')) return undefined
  try {
    return parseReference(text)
  } catch {
    return undefined
  }
}

/** One repository of such a container. */
export class RootedRepository implements Repository {
  readonly #content: RootedContent
  readonly #tags: ReadonlyMap<string, Descriptor>
  readonly #roots: readonly Descriptor[]
  readonly #strays: StrayRoots | undefined
  #closure: Promise<Closure> | undefined

  constructor(
    content: RootedContent,
    tags: ReadonlyMap<string, Descriptor>,
    roots: readonly Descriptor[],
    strays?: StrayRoots,
  ) {
    this.#content = content
    this.#tags = tags
    this.#roots = roots
    this.#strays = strays
  }

  async resolve(reference: string, options?: CallOptions): Promise<Descriptor> {
    const found = isDigest(reference) ? await this.find(reference, options) : await this.#tagged(reference)
    if (!found) throw failure('CONTENT_NOT_FOUND', `nothing is named ${reference} here`)
    return found
  }

  async open(content: Descriptor, range?: ByteRange): Promise<ByteReader> {
    if (!(await this.find(content.digest))) {
      throw failure('CONTENT_NOT_FOUND', `there is no ${content.digest} in this repository`)
    }
    return this.#content.open(content.digest, range)
  }

  async find(digest: Digest, _options?: CallOptions): Promise<Descriptor | undefined> {
    const { contents } = await this.#reach()
    const known = contents.get(digest)
    if (!known) return undefined
    const size = await this.#content.size(digest)
    // Children for other platforms may be absent: a sparse index names them all the same.
    return size === undefined ? undefined : { mediaType: known.mediaType, digest, size }
  }

  async tags(page?: { after?: string; limit?: number }): Promise<readonly string[]> {
    return pageOf(new Set([...this.#tags.keys(), ...(await this.#legacyTags()).keys()]), page)
  }

  async #tagged(tag: string): Promise<Descriptor | undefined> {
    return this.#tags.get(tag) ?? (subjectOfTag(tag) && (await this.#legacyTags()).get(tag))
  }

  /** Reads manifests only where there are such tags. */
  async #legacyTags(): Promise<ReadonlyMap<string, Descriptor>> {
    if (!this.#strays || this.#strays.tags(() => true).size === 0) return new Map()
    const { contents } = await this.#reach()
    return this.#strays.tags((subject) => contents.has(subject))
  }

  async *referrers(subject: Digest, artifactType?: string): AsyncGenerator<Descriptor> {
    const { referrers } = await this.#reach()
    for (const descriptor of referrers.get(subject)?.values() ?? []) {
      if (artifactType === undefined || descriptor.artifactType === artifactType) yield descriptor
    }
  }

  #reach(): Promise<Closure> {
    this.#closure ??= reach(this.#content, this.#roots, this.#strays).catch((error: unknown) => {
      this.#closure = undefined
      throw error
    })
    return this.#closure
  }
}

interface Closure {
  readonly contents: ReadonlyMap<Digest, Descriptor>
  readonly referrers: ReadonlyMap<Digest, ReadonlyMap<Digest, Descriptor>>
}

/** Follows the roots down. Referrers are roots themselves: this repository's, or strays whose subject is here. */
async function reach(
  content: RootedContent,
  roots: readonly Descriptor[],
  strays?: StrayRoots,
): Promise<Closure> {
  const contents = new Map<Digest, Descriptor>()
  const referrers = new Map<Digest, Map<Digest, Descriptor>>()
  const queue = roots.map((descriptor) => ({ descriptor, depth: 0 }))
  const next = async () => {
    if (queue.length === 0 && strays) {
      const here = await strays.belongingTo((subject) => contents.has(subject))
      const isNew = ({ digest }: Descriptor) => !isManifestType(contents.get(digest)?.mediaType ?? '')
      queue.push(...here.filter(isNew).map((descriptor) => ({ descriptor, depth: 0 })))
    }
    return queue.pop()
  }
  for (let item = await next(); item; item = await next()) {
    const { descriptor, depth } = item
    const known = contents.get(descriptor.digest)
    if (known && isManifestType(known.mediaType)) continue
    if (contents.size >= limits.graphNodes)
      throw failure('GRAPH_TOO_LARGE', 'the roots reach too many contents')
    const isManifest = isManifestType(descriptor.mediaType)
    contents.set(descriptor.digest, isManifest ? descriptor : { ...descriptor, mediaType: mediaTypes.octets })
    if (!isManifest || (await content.size(descriptor.digest)) === undefined) continue
    if (depth > limits.graphDepth)
      throw failure('GRAPH_TOO_DEEP', `nested deeper than ${limits.graphDepth} levels`)
    const manifest = await readManifest(content, descriptor)
    for (const child of manifest ? childrenOf(manifest) : [])
      queue.push({ descriptor: child, depth: depth + 1 })
    if (!manifest?.subject) continue
    const list = referrers.get(manifest.subject.digest) ?? new Map<Digest, Descriptor>()
    list.set(descriptor.digest, referrerDescriptor(manifest, descriptor))
    referrers.set(manifest.subject.digest, list)
  }
  return { contents, referrers }
}

/** A manifest that does not read as one hides what is below it, and nothing else. */
async function readManifest(content: RootedContent, descriptor: Descriptor) {
  try {
    const source = { open: () => content.open(descriptor.digest) }
    const bytes = await readVerified(source, descriptor, limits.manifestBytes)
    return parseManifest(bytes, descriptor.mediaType)
  } catch (error) {
    if (isFailure(error)) return undefined
    throw error
  }
}

/** The whole of such a container as one Source: any root by its reference, any content by its digest. */
export class RootedSource {
  readonly #content: RootedContent
  readonly #whole: Promise<RootedRepository>

  constructor(content: RootedContent) {
    this.#content = content
    this.#whole = Promise.resolve().then(async () => {
      const roots = await content.roots()
      const tags = new Map(
        roots.flatMap(({ descriptor, reference }) => (reference ? [[reference, descriptor]] : [])),
      )
      return new RootedRepository(
        content,
        tags,
        roots.map(({ descriptor }) => descriptor),
      )
    })
    this.#whole.catch(() => undefined)
  }

  async resolve(reference: string, options?: CallOptions): Promise<Descriptor> {
    const whole = await this.#whole
    if (isDigest(reference)) return whole.resolve(reference, options)
    const roots = await this.#content.roots()
    const wanted = wholeText(reference)
    const isWanted = (root: Root): boolean =>
      root.reference === reference || (wanted !== undefined && wholeText(root.reference) === wanted)
    const found =
      roots.find(isWanted) ??
      roots.find(({ descriptor }) => descriptor.annotations?.[refNameAnnotation] === reference)
    if (!found) throw failure('CONTENT_NOT_FOUND', `nothing is named ${reference} here`)
    return found.descriptor
  }

  async open(content: Descriptor, range?: ByteRange): Promise<ByteReader> {
    if ((await this.#content.size(content.digest)) === undefined) {
      throw failure('CONTENT_NOT_FOUND', `there is no ${content.digest} here`)
    }
    return this.#content.open(content.digest, range)
  }

  async find(digest: Digest): Promise<Descriptor | undefined> {
    const size = await this.#content.size(digest)
    if (size === undefined) return undefined
    const known = await (await this.#whole).find(digest)
    return { mediaType: known?.mediaType ?? mediaTypes.octets, digest, size }
  }

  async *referrers(subject: Digest, artifactType?: string): AsyncGenerator<Descriptor> {
    yield* (await this.#whole).referrers(subject, artifactType)
  }
}

/** Spelled out, so that NAME:TAG is Docker Hub's; a bare word stays a tag. */
function wholeText(reference: string | undefined): string | undefined {
  if (reference === undefined || !/[:/]/.test(reference)) return undefined
  try {
    return formatReference(parseReference(reference))
  } catch {
    return undefined
  }
}
