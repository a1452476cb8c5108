import { isFailure, limits, type OnProgress, SealiftError } from '#base/index.ts'
import {
  childrenOf,
  type Descriptor,
  type Digest,
  formatPlatform,
  isManifestType,
  isNonDistributable,
  type Manifest,
  mediaTypes,
  parseManifest,
  parsePlatform,
  platformMatches,
} from '#oci/index.ts'
import { platformsAnnotation } from './annotations.ts'
import { parallel } from './parallel.ts'
import { readVerified, verifying } from './readers.ts'
import type { CallOptions, Container, Tally } from './types.ts'

/** One thing that is wrong. */
export interface Problem {
  /** `damaged`: bytes differ. `missing`: named but not there. `extra`: there but reached from nowhere. `invalid`: unreadable. */
  readonly kind: 'damaged' | 'missing' | 'extra' | 'invalid'
  /** A digest, or the path of a file inside an archive. */
  readonly what: string
  readonly why: string
}

/** What came of one stored thing when its bytes were read. */
export interface BytesVerdict {
  readonly what: string
  readonly sizeBytes: number
  readonly problem?: Problem
}

export interface VerifyOptions extends CallOptions {
  readonly onProgress?: OnProgress
  readonly concurrency?: number
}

export interface VerifyReport {
  readonly checked: Tally
  readonly problems: readonly Problem[]
  /** Left out on purpose: children for other platforms, marked as such. */
  readonly absent: readonly Digest[]
  readonly roots: number
}

/**
 * Reads everything once: each stored content against its digest and size, the whole graph from the roots, and
 * nothing beside it. Problems are listed, not thrown.
 */
export async function verify(container: Container, options: VerifyOptions = {}): Promise<VerifyReport> {
  const problems: Problem[] = []
  const damaged = new Set<string>()
  let items = 0
  let sizeBytes = 0
  options.onProgress?.({ type: 'phase', name: 'verifying' })
  for await (const verdict of container.verifyBytes?.(options) ?? verifyContents(container, options)) {
    items++
    sizeBytes += verdict.sizeBytes
    options.onProgress?.({ type: 'advance', sizeBytes: verdict.sizeBytes })
    if (verdict.problem) {
      problems.push(verdict.problem)
      damaged.add(verdict.what)
    }
  }
  const graph = new GraphCheck(container, damaged, options)
  const roots = await graph.run()
  problems.push(...graph.problems)
  for await (const { digest } of container.contents()) {
    if (!graph.reached.has(digest)) {
      problems.push({ kind: 'extra', what: digest, why: 'nothing that the roots reach names it' })
    }
  }
  return { checked: { items, sizeBytes }, problems, absent: [...graph.absent], roots }
}

/** Hashes every stored content, several at a time. */
async function* verifyContents(container: Container, options: VerifyOptions): AsyncGenerator<BytesVerdict> {
  const contents: { digest: Digest; size: number }[] = []
  for await (const content of container.contents()) contents.push(content)
  // Batches, so that verdicts flow while later contents are still read.
  const batch = 64
  for (let at = 0; at < contents.length; at += batch) {
    yield* await parallel(
      contents.slice(at, at + batch),
      options.concurrency ?? 4,
      async ({ digest, size }) => {
        options.signal?.throwIfAborted()
        const content = { mediaType: mediaTypes.octets, digest, size }
        try {
          const reader = verifying(await container.source.open(content, undefined, options), content)
          const buffer = new Uint8Array(256 * 1024)
          try {
            while ((await reader.read(buffer)) > 0);
          } finally {
            await reader.close()
          }
          return { what: digest, sizeBytes: size }
        } catch (error) {
          options.signal?.throwIfAborted()
          if (!(error instanceof SealiftError)) throw error
          return {
            what: digest,
            sizeBytes: size,
            problem: { kind: 'damaged', what: digest, why: error.message } as const,
          }
        }
      },
    )
  }
}

/** Follows the roots down, and notes what is not there. */
class GraphCheck {
  readonly reached = new Set<Digest>()
  readonly absent = new Set<Digest>()
  readonly problems: Problem[] = []
  readonly #container: Container
  readonly #damaged: ReadonlySet<string>
  readonly #options: VerifyOptions

  constructor(container: Container, damaged: ReadonlySet<string>, options: VerifyOptions) {
    this.#container = container
    this.#damaged = damaged
    this.#options = options
  }

  async run(): Promise<number> {
    const roots = await this.#container.roots()
    const marked = new Set(this.#container.absent ?? [])
    const queue: { descriptor: Descriptor; depth: number; platforms: string | undefined; by: string }[] = []
    for (const { descriptor } of roots) {
      const platforms = descriptor.annotations?.[platformsAnnotation]
      queue.push({ descriptor, depth: 0, platforms, by: 'index.json' })
    }
    for (const descriptor of (await this.#container.earlierRoots?.()) ?? []) {
      const platforms = descriptor.annotations?.[platformsAnnotation]
      queue.push({ descriptor, depth: 0, platforms, by: 'an earlier index.json' })
    }
    for (let item = queue.pop(); item; item = queue.pop()) {
      const { descriptor, depth, platforms, by } = item
      if (this.reached.has(descriptor.digest)) continue
      const found = await this.#container.source.find(descriptor.digest, this.#options)
      if (!found) {
        if (this.#isMarked(descriptor, platforms, marked)) this.absent.add(descriptor.digest)
        else this.#note('missing', descriptor.digest, `${by} names it`)
        continue
      }
      if (found.size !== descriptor.size) {
        this.#note(
          'damaged',
          descriptor.digest,
          `${by} says ${descriptor.size} bytes, there are ${found.size}`,
        )
      }
      this.reached.add(descriptor.digest)
      if (!isManifestType(descriptor.mediaType) || this.#damaged.has(descriptor.digest)) continue
      if (depth > limits.graphDepth) {
        this.#note('invalid', descriptor.digest, `it is nested deeper than ${limits.graphDepth} levels`)
        continue
      }
      const manifest = await this.#manifest(descriptor)
      for (const child of manifest ? childrenOf(manifest) : []) {
        queue.push({ descriptor: child, depth: depth + 1, platforms, by: descriptor.digest })
      }
    }
    return roots.length
  }

  async #manifest(descriptor: Descriptor): Promise<Manifest | undefined> {
    try {
      const bytes = await readVerified(
        this.#container.source,
        descriptor,
        limits.manifestBytes,
        this.#options,
      )
      return parseManifest(bytes, descriptor.mediaType)
    } catch (error) {
      if (!isFailure(error)) throw error
      this.#note('invalid', descriptor.digest, error.message)
      return undefined
    }
  }

  #isMarked(child: Descriptor, platforms: string | undefined, marked: ReadonlySet<Digest>): boolean {
    if (marked.has(child.digest) || isNonDistributable(child.mediaType)) return true
    if (platforms === undefined || child.platform === undefined) return false
    const offered = child.platform
    if (formatPlatform(offered) === 'unknown/unknown') return true
    return !platforms.split(',').some((text) => platformMatches(parsePlatform(text), offered))
  }

  #note(kind: Problem['kind'], what: string, why: string): void {
    this.problems.push({ kind, what, why })
  }
}
