import { isFailure, limits, parseJson } from '#base/index.ts'
import {
  type CallOptions,
  legacyTag,
  type Referrers,
  type Repository,
  readVerified,
  type Source,
} from '#content/index.ts'
import {
  artifactTypeOf,
  childrenOf,
  type Descriptor,
  type Digest,
  formatPlatform,
  isManifestType,
  isObject,
  type Manifest,
  mediaTypes,
  parseManifest,
} from '#oci/index.ts'

export type Role = 'root' | 'manifest' | 'config' | 'layer' | 'referrer' | 'signature'

/** One content as it is shown: what it is, what is below it, and what proves it. */
export interface Branch {
  readonly role: Role
  readonly digest: Digest
  readonly mediaType: string
  readonly sizeBytes: number
  readonly artifactType?: string
  readonly platform?: string
  /** org.opencontainers.image.title, where somebody gave it a name. */
  readonly title?: string
  /** Named, but not here: another platform's, or lost. */
  readonly absent?: true
  /** Shown further up already: what is below it is not repeated. */
  readonly repeated?: true
  readonly children: readonly Branch[]
  readonly referrers: readonly Branch[]
}

type Readable = (Source | (Source & Referrers)) & Partial<Pick<Repository, 'find'>>

const configs: ReadonlySet<string> = new Set([mediaTypes.ociConfig, mediaTypes.dockerConfig])
const legacySuffixes = ['sig', 'att', 'sbom'] as const

/**
 * Describes everything under a root without unpacking: only manifests are read. Where the source can tell (`find`),
 * blobs that are not there are marked; a registry is not asked for each of them.
 *
 * @throws CONTENT_NOT_FOUND for the root itself, and the codes of `parseManifest` and `readVerified`
 */
export function describeGraph(
  root: Descriptor,
  source: Readable,
  options: CallOptions & { readonly referrers?: boolean } = {},
): Promise<Branch> {
  return new Describer(source, options).describe(root, 'root', 0)
}

class Describer {
  readonly #source: Readable
  readonly #options: CallOptions & { readonly referrers?: boolean }
  readonly #seen = new Set<string>()

  constructor(source: Readable, options: CallOptions & { readonly referrers?: boolean }) {
    this.#source = source
    this.#options = options
  }

  async describe(content: Descriptor, role: Role, depth: number): Promise<Branch> {
    const base = branchOf(content, role)
    if (!isManifestType(content.mediaType)) {
      const isThere = !this.#source.find || (await this.#source.find(content.digest, this.#options))
      return isThere ? base : { ...base, absent: true }
    }
    if (this.#seen.has(content.digest)) return { ...base, repeated: true }
    this.#seen.add(content.digest)
    const manifest = await this.#read(content, role === 'root')
    if (!manifest) return { ...base, absent: true }
    const artifactType = artifactTypeOf(manifest)
    const platform = base.platform ?? (await this.#platformOf(manifest))
    const children: Branch[] = []
    if (depth < limits.graphDepth) {
      for (const [at, child] of childrenOf(manifest).entries()) {
        const below = manifest.kind === 'index' ? 'manifest' : at === 0 ? 'config' : 'layer'
        children.push(await this.describe(child, below, depth + 1))
      }
    }
    return {
      ...base,
      ...(platform !== undefined && { platform }),
      ...(artifactType !== undefined && manifest.kind === 'image' && { artifactType }),
      children,
      referrers: depth < limits.graphDepth ? await this.#referrersOf(content.digest, depth) : [],
    }
  }

  async #read(content: Descriptor, isRoot: boolean): Promise<Manifest | undefined> {
    try {
      const bytes = await readVerified(this.#source, content, limits.manifestBytes, this.#options)
      return parseManifest(bytes, content.mediaType)
    } catch (error) {
      if (isRoot || !isFailure(error, 'CONTENT_NOT_FOUND')) throw error
      return undefined
    }
  }

  /** An image that no index describes says its platform in its config. */
  async #platformOf(manifest: Manifest): Promise<string | undefined> {
    if (manifest.kind !== 'image' || !configs.has(manifest.config.mediaType)) return undefined
    try {
      const bytes = await readVerified(this.#source, manifest.config, limits.imageConfigBytes, this.#options)
      const config = parseJson(bytes, { maxBytes: limits.imageConfigBytes })
      if (!isObject(config)) return undefined
      const { os, architecture, variant } = config
      if (typeof os !== 'string' || typeof architecture !== 'string' || os === '') return undefined
      return formatPlatform({ os, architecture, ...(typeof variant === 'string' && { variant }) })
    } catch (error) {
      // What is shown is not what is verified: a config that cannot be read is no reason to show nothing.
      if (isFailure(error)) return undefined
      throw error
    }
  }

  async #referrersOf(subject: Digest, depth: number): Promise<Branch[]> {
    if (this.#options.referrers === false) return []
    const found: Branch[] = []
    if ('referrers' in this.#source) {
      for await (const descriptor of this.#source.referrers(subject, undefined, this.#options)) {
        if (found.length >= limits.graphWidth) break
        const below = await this.describe(descriptor, 'referrer', depth + 1)
        const { artifactType = below.artifactType } = descriptor
        found.push({ ...below, ...(artifactType !== undefined && { artifactType }) })
      }
    }
    for (const suffix of legacySuffixes) {
      const signature = await this.#source
        .resolve(legacyTag(subject, suffix), this.#options)
        .catch((error: unknown) => {
          if (isFailure(error, 'CONTENT_NOT_FOUND')) return undefined
          throw error
        })
      if (signature) found.push(await this.describe(signature, 'signature', depth + 1))
    }
    return found
  }
}

function branchOf({ digest, mediaType, size, platform, annotations }: Descriptor, role: Role): Branch {
  const title = annotations?.['org.opencontainers.image.title']
  return {
    role,
    digest,
    mediaType,
    sizeBytes: size,
    ...(platform && { platform: formatPlatform(platform) }),
    ...(title !== undefined && { title }),
    children: [],
    referrers: [],
  }
}

/** Every branch of a tree, itself first. */
export function* branches(branch: Branch): Generator<Branch> {
  yield branch
  for (const child of [...branch.children, ...branch.referrers]) yield* branches(child)
}

/** What a root amounts to. Each content counts once. */
export interface Summary {
  readonly sizeBytes: number
  readonly contents: number
  readonly platforms: readonly string[]
  readonly absent: readonly Digest[]
  readonly referrers: number
}

export function summarize(root: Branch): Summary {
  const sizes = new Map<Digest, number>()
  const platforms = new Set<string>()
  const absent = new Set<Digest>()
  const referrers = new Set<Digest>()
  for (const branch of branches(root)) {
    const { digest, platform, role } = branch
    if (branch.absent) absent.add(digest)
    else sizes.set(digest, branch.sizeBytes)
    if (platform !== undefined && platform !== 'unknown/unknown' && !branch.absent) platforms.add(platform)
    if (role === 'referrer' || role === 'signature') referrers.add(digest)
  }
  return {
    sizeBytes: [...sizes.values()].reduce((sum, size) => sum + size, 0),
    contents: sizes.size,
    platforms: [...platforms],
    absent: [...absent],
    referrers: referrers.size,
  }
}

/** What a media type is to a person. */
export function kindOf({ mediaType, artifactType, role }: Branch): string {
  if (role === 'signature') return 'signature'
  const index = /index\.v1|manifest\.list/.test(mediaType)
  if (index) return 'index'
  if (artifactType !== undefined && !/(image\.config|container\.image)\.v1\+json$/.test(artifactType))
    return artifactType
  if (isManifestType(mediaType)) return 'image'
  return role === 'config' ? 'config' : 'layer'
}
