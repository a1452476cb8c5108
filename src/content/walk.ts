import { isFailure, type Limits, limits } from '#base/index.ts'
import {
  childrenOf,
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestHex,
  isManifestType,
  isNonDistributable,
  type Manifest,
  type Platform,
  parseManifest,
  platformMatches,
} from '#oci/index.ts'
import { failure } from './codes.ts'
import { ManifestCache } from './manifest-cache.ts'
import { parallel } from './parallel.ts'
import { readVerified } from './readers.ts'
import type { CallOptions, Referrers, Source } from './types.ts'

/** One content that a walk reached. */
export interface Node {
  readonly descriptor: Descriptor
  readonly isManifest: boolean
  children: Node[]
  /** Manifests below: 0 for one that names only blobs. Parents are written after their children. */
  height: number
  /** Proofs of proofs come after what they prove: 0 for the graph itself, 1 for its referrers, and so on. */
  readonly round: number
}

export interface WalkOptions extends CallOptions {
  readonly platforms?: readonly Platform[] | undefined
  readonly referrers?: boolean | undefined
  readonly concurrency?: number | undefined
  readonly limits?: Limits | undefined
}

/** All that is reached from one root: the graph, its referrers, its legacy signatures. */
export interface Walk {
  readonly root: Node
  /** Referrers and legacy signatures, roots of their own; a legacy one with the tag that ties it to its subject. */
  readonly companions: readonly { readonly node: Node; readonly tag?: string }[]
  /** Every node once, in depth-first order: root, its graph, then the companions. */
  readonly nodes: readonly Node[]
  /** Children that do not travel: another platform's, or not there in a sparse source. */
  readonly absent: readonly Descriptor[]
  /** Bytes of the manifests read on the way, as far as they fit. */
  readonly manifests: ManifestCache
}

/** cosign's tags for what belongs to an image, before there were referrers. */
const legacySuffixes = ['sig', 'att', 'sbom'] as const

export const legacyTag = (digest: Digest, suffix: (typeof legacySuffixes)[number]): string =>
  `${digestAlgorithm(digest)}-${digestHex(digest)}.${suffix}`

/**
 * Walks the graph under `root` once, level by level, several manifests at a time. Reads manifests only.
 *
 * @throws GRAPH_TOO_DEEP, GRAPH_TOO_LARGE, GRAPH_TOO_WIDE, CONTENT_NOT_FOUND (the root, or a blob's manifest),
 * SIZE_MISMATCH (also where two manifests tell different sizes of one digest), and the codes of `parseManifest`
 */
export async function walk(
  root: Descriptor,
  source: Source | (Source & Referrers),
  options: WalkOptions = {},
): Promise<Walk> {
  return new Walker(source, options).run(root)
}

class Walker {
  readonly #source: Source | (Source & Referrers)
  readonly #options: WalkOptions
  readonly #limits: Limits
  readonly #byKey = new Map<string, Node>()
  readonly #sizes = new Map<Digest, number>()
  readonly #absent = new Map<Digest, Descriptor>()
  readonly #manifests = new ManifestCache()

  constructor(source: Source | (Source & Referrers), options: WalkOptions) {
    this.#source = source
    this.#options = options
    this.#limits = options.limits ?? limits
  }

  async run(root: Descriptor): Promise<Walk> {
    const rootNode = this.#node(root, 0)
    let fresh = await this.#descend([rootNode])
    const companions: { node: Node; tag?: string }[] = []
    for (let round = 1; this.#options.referrers !== false && fresh.length > 0; round++) {
      if (round > this.#limits.graphDepth)
        throw failure('GRAPH_TOO_DEEP', 'referrers of referrers without end')
      const found = await this.#companionsOf(fresh, round)
      fresh = await this.#descend(found.map(({ node }) => node))
      companions.push(...found.filter(({ node }) => this.#byKey.get(keyOf(node.descriptor)) === node))
    }
    const nodes = new Set<Node>()
    for (const start of [rootNode, ...companions.map(({ node }) => node)]) collect(start, nodes)
    const absent = [...this.#absent.values()].filter(({ digest }) => !this.#byKey.has(`m${digest}`))
    return { root: rootNode, companions, nodes: [...nodes], absent, manifests: this.#manifests }
  }

  /** Reads level after level below `starts`; returns the manifests that were new. */
  async #descend(starts: readonly Node[]): Promise<Node[]> {
    const seen: Node[] = []
    const missing = new Set<Node>()
    let level = starts.filter((node) => node.isManifest)
    for (let depth = 0; level.length > 0; depth++) {
      if (depth > this.#limits.graphDepth) {
        throw failure('GRAPH_TOO_DEEP', `manifests are nested deeper than ${this.#limits.graphDepth} levels`)
      }
      for (const node of level) seen.push(node)
      const childrenLists = await parallel(level, this.#concurrency, async (node) => {
        try {
          return await this.#childrenOf(node.descriptor)
        } catch (error) {
          // A sparse index may name manifests that are not here (image-spec 1.1, image-index.md), and a registry may
          // list a referrer that is gone; only the root itself must be there.
          if ((depth === 0 && node.round === 0) || !isFailure(error, 'CONTENT_NOT_FOUND')) throw error
          missing.add(node)
          return []
        }
      })
      const next: Node[] = []
      for (const [at, node] of level.entries()) {
        for (const child of childrenLists[at] as readonly Descriptor[]) {
          const known = this.#byKey.get(keyOf(child))
          const childNode = this.#node(child, node.round)
          node.children.push(childNode)
          if (!known && childNode.isManifest) next.push(childNode)
        }
      }
      level = next
    }
    for (const node of missing) {
      this.#absent.set(node.descriptor.digest, node.descriptor)
      this.#byKey.delete(keyOf(node.descriptor))
    }
    const there = seen.filter((node) => !missing.has(node))
    for (const node of there) {
      if (missing.size > 0) node.children = node.children.filter((child) => !missing.has(child))
    }
    setHeights(there)
    return there
  }

  async #childrenOf(descriptor: Descriptor): Promise<readonly Descriptor[]> {
    const { signal } = this.#options
    const bytes = await readVerified(this.#source, descriptor, this.#limits.manifestBytes, { signal })
    const manifest = parseManifest(bytes, descriptor.mediaType, this.#limits)
    this.#manifests.keep(descriptor.digest, bytes)
    const kept: Descriptor[] = []
    const wanted = this.#select(manifest)
    for (const child of childrenOf(manifest)) {
      if (!wanted(child) || (isNonDistributable(child.mediaType) && !(await this.#isThere(child)))) {
        this.#absent.set(child.digest, child)
      } else kept.push(child)
    }
    return kept
  }

  /** Which children of this manifest travel, by the platforms asked for. */
  #select(manifest: Manifest): (child: Descriptor) => boolean {
    const { platforms } = this.#options
    if (manifest.kind === 'image' || !platforms || platforms.length === 0) return () => true
    const matches = ({ platform }: Descriptor) =>
      platform === undefined || platforms.some((wanted) => platformMatches(wanted, platform))
    const kept = new Set(manifest.manifests.filter(matches).map(({ digest }) => digest))
    // BuildKit's attestations sit beside the image as platform unknown/unknown and name it by annotation.
    return (child) => matches(child) || kept.has(child.annotations?.['vnd.docker.reference.digest'] as Digest)
  }

  async #isThere(blob: Descriptor): Promise<boolean> {
    try {
      const reader = await this.#source.open(blob, { offset: 0, length: 1 }, { signal: this.#options.signal })
      await reader.close()
      return true
    } catch (error) {
      if (isFailure(error, 'CONTENT_NOT_FOUND')) return false
      throw error
    }
  }

  async #companionsOf(manifests: readonly Node[], round: number): Promise<{ node: Node; tag?: string }[]> {
    const lists = await parallel(manifests, this.#concurrency, (node) =>
      this.#pointingAt(node.descriptor.digest, round === 1),
    )
    const found: { node: Node; tag?: string }[] = []
    for (const { descriptor, tag } of lists.flat()) {
      const known = this.#byKey.has(keyOf(descriptor))
      if (known && tag === undefined) continue
      const node = this.#node(descriptor, round)
      found.push(tag === undefined ? { node } : { node, tag })
    }
    return found
  }

  async #pointingAt(subject: Digest, legacy: boolean): Promise<{ descriptor: Descriptor; tag?: string }[]> {
    const found: { descriptor: Descriptor; tag?: string }[] = []
    const { signal } = this.#options
    if ('referrers' in this.#source) {
      for await (const descriptor of this.#source.referrers(subject, undefined, { signal })) {
        if (found.length >= this.#limits.graphWidth) {
          throw failure('GRAPH_TOO_LARGE', `${subject} has more than ${this.#limits.graphWidth} referrers`)
        }
        found.push({ descriptor })
      }
    }
    for (const suffix of legacy ? legacySuffixes : []) {
      const tag = legacyTag(subject, suffix)
      const descriptor = await this.#source.resolve(tag, { signal }).catch((error) => {
        if (isFailure(error, 'CONTENT_NOT_FOUND')) return undefined
        throw error
      })
      if (descriptor) found.push({ descriptor, tag })
    }
    return found
  }

  #node(descriptor: Descriptor, round: number): Node {
    const key = keyOf(descriptor)
    const size = this.#sizes.get(descriptor.digest)
    if (size !== undefined && size !== descriptor.size) {
      throw failure('SIZE_MISMATCH', `two manifests tell different sizes of ${descriptor.digest}`)
    }
    let node = this.#byKey.get(key)
    if (!node) {
      if (this.#byKey.size >= this.#limits.graphNodes) {
        throw failure('GRAPH_TOO_LARGE', `more than ${this.#limits.graphNodes} contents are reached`)
      }
      const isManifest = isManifestType(descriptor.mediaType)
      node = { descriptor, isManifest, children: [], height: 0, round }
      this.#byKey.set(key, node)
      this.#sizes.set(descriptor.digest, descriptor.size)
    }
    return node
  }

  get #concurrency(): number {
    return this.#options.concurrency ?? 8
  }
}

/** The same bytes may be reached as a manifest and as a blob: registries keep them behind two doors. */
const keyOf = ({ mediaType, digest }: Descriptor): string =>
  `${isManifestType(mediaType) ? 'm' : 'b'}${digest}`

/** A child may be found on a level above one of its parents, so heights are followed down, not read off the levels. */
function setHeights(nodes: readonly Node[]): void {
  const done = new Set<Node>()
  const visit = (node: Node): number => {
    if (!done.has(node)) {
      done.add(node)
      for (const child of node.children) {
        if (child.isManifest) node.height = Math.max(node.height, visit(child) + 1)
      }
    }
    return node.height
  }
  for (const node of nodes) visit(node)
}

function collect(node: Node, into: Set<Node>): void {
  if (into.has(node)) return
  into.add(node)
  for (const child of node.children) collect(child, into)
}
