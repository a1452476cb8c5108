import type { Descriptor, Digest } from '#oci/index.ts'
import { Ledger } from './copy-ledger.ts'
import { parallel } from './parallel.ts'
import { bytesReader } from './readers.ts'
import type {
  ByteReader,
  CopyOptions,
  CopyResult,
  OpenAt,
  Passage,
  Plan,
  Referrers,
  Source,
  Tagging,
  Target,
} from './types.ts'
import { type Node, type Walk, walk } from './walk.ts'

/**
 * The one operation: brings everything under `root`, with its referrers and legacy signatures, from `source` to
 * `target`. Walks the graph once, asks the target for each unique content once, moves the largest first and
 * several at a time, and writes every manifest after what it names, so that what was interrupted is never seen
 * as whole and the same call takes it up again.
 *
 * @throws whatever source and target throw, and the codes of `walk`
 */
export function copy(
  root: Descriptor,
  source: Source | (Source & Referrers),
  target: Target,
  options: CopyOptions & { readonly tags?: readonly string[] } = {},
): Promise<CopyResult> {
  return copyAll([{ root, source, target, ...(options.tags && { tags: options.tags }) }], options)
}

/** Several roots over one queue: what they share is moved once per target, and mounted between neighbours. */
export async function copyAll(passages: readonly Passage[], options: CopyOptions = {}): Promise<CopyResult> {
  const stop = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal
  try {
    return await run(passages, { ...options, signal }, stop)
  } catch (error) {
    // What else is under way when one content fails was told to stop; what counts is why.
    throw stop.signal.aborted ? stop.signal.reason : error
  }
}

async function run(
  passages: readonly Passage[],
  options: CopyOptions,
  stop: AbortController,
): Promise<CopyResult> {
  const carry = (crate: Crate) =>
    move(crate, ledger, options).catch((error: unknown) => {
      stop.abort(error)
      throw error
    })
  const concurrency = options.concurrency ?? 8
  options.onProgress?.({ type: 'phase', name: 'reading manifests' })
  const walks = await parallel(passages, concurrency, ({ root, source }) => walk(root, source, options))

  const cargoes = load(passages, walks)
  for (const cargo of cargoes.values()) await cargo.target.prepare?.(planOf(cargo, options), options)

  const ledger = new Ledger(options.onProgress)
  ledger.expect(
    [...cargoes.values()].flatMap((cargo) => [...cargo.items.values()].map(({ node }) => node.descriptor)),
  )
  options.onProgress?.({ type: 'phase', name: 'copying' })
  await parallel(blobQueue(cargoes.values()), concurrency, async (crates) => {
    // One after the other: what the first target has taken in, a neighbour of it can mount.
    for (const crate of crates) await carry(crate)
  })
  for (const wave of manifestWaves(cargoes.values())) {
    await parallel(wave, concurrency, carry)
  }
  for (const cargo of cargoes.values()) {
    for (const { manifest, reference } of cargo.taggings) await cargo.target.tag(manifest, reference, options)
    await cargo.target.commit?.(options)
  }
  return {
    ...ledger.tallies,
    absent: uniqueByDigest(walks.flatMap(({ absent }) => absent)),
    companions: walks.reduce((sum, { companions }) => sum + companions.length, 0),
  }
}

/** What one target will get. */
interface Cargo {
  readonly target: Target
  /** By door and digest, in the order of the walks. */
  readonly items: Map<string, Crate>
  readonly roots: Map<Digest, Descriptor>
  readonly taggings: Tagging[]
  readonly absent: Map<Digest, Descriptor>
}

/** One content on its way to one target. */
interface Crate {
  readonly node: Node
  readonly target: Target
  readonly source: Source
  readonly bytes: Uint8Array | undefined
}

function load(passages: readonly Passage[], walks: readonly Walk[]): Map<Target, Cargo> {
  const cargoes = new Map<Target, Cargo>()
  for (const [at, { source, target, tags = [] }] of passages.entries()) {
    const { root, nodes, companions, manifests, absent } = walks[at] as Walk
    const cargo: Cargo = cargoes.get(target) ?? {
      target,
      items: new Map(),
      roots: new Map(),
      taggings: [],
      absent: new Map(),
    }
    cargoes.set(target, cargo)
    for (const node of nodes) {
      const { digest } = node.descriptor
      const key = `${node.isManifest ? 'm' : 'b'}${digest}`
      if (!cargo.items.has(key)) cargo.items.set(key, { node, target, source, bytes: manifests.get(digest) })
    }
    for (const node of [root, ...companions.map((companion) => companion.node)]) {
      cargo.roots.set(node.descriptor.digest, node.descriptor)
    }
    for (const descriptor of absent) cargo.absent.set(descriptor.digest, descriptor)
    for (const reference of tags) cargo.taggings.push({ manifest: root.descriptor, reference })
    for (const { node, tag } of companions) {
      if (tag !== undefined) cargo.taggings.push({ manifest: node.descriptor, reference: tag })
    }
  }
  return cargoes
}

function planOf(cargo: Cargo, { platforms }: CopyOptions): Plan {
  return {
    contents: uniqueByDigest([...cargo.items.values()].map(({ node }) => node.descriptor)),
    roots: [...cargo.roots.values()],
    taggings: cargo.taggings,
    absent: [...cargo.absent.values()],
    ...(platforms && platforms.length > 0 && { platforms }),
  }
}

/** Blobs of all targets, one entry per digest, the largest first. */
function blobQueue(cargoes: Iterable<Cargo>): Crate[][] {
  const byDigest = new Map<Digest, Crate[]>()
  for (const { items } of cargoes) {
    for (const crate of items.values()) {
      if (crate.node.isManifest) continue
      const { digest } = crate.node.descriptor
      const crates = byDigest.get(digest)
      if (crates) crates.push(crate)
      else byDigest.set(digest, [crate])
    }
  }
  const sizeOf = (crates: Crate[]) => crates[0]!.node.descriptor.size
  return [...byDigest.values()].sort((a, b) => sizeOf(b) - sizeOf(a))
}

/** Manifests of all targets: what is proved before its proofs, children before parents. */
function manifestWaves(cargoes: Iterable<Cargo>): Crate[][] {
  const waves = new Map<number, Crate[]>()
  for (const { items } of cargoes) {
    for (const crate of items.values()) {
      const { isManifest, round, height } = crate.node
      if (!isManifest) continue
      const order = round * 1_000_000 + height
      const wave = waves.get(order)
      if (wave) wave.push(crate)
      else waves.set(order, [crate])
    }
  }
  return [...waves.entries()].sort(([a], [b]) => a - b).map(([, wave]) => wave)
}

async function move(crate: Crate, ledger: Ledger, options: CopyOptions): Promise<void> {
  const { node, target, source, bytes } = crate
  const { descriptor } = node
  options.signal?.throwIfAborted()
  if (await target.has(descriptor, options)) {
    ledger.settle(descriptor, 'present')
    return
  }
  const from: OpenAt = async (offset) => {
    const range = offset > 0 ? { offset } : undefined
    const reader = bytes ? bytesReader(bytes.subarray(offset)) : await source.open(descriptor, range, options)
    return counted(reader, offset, (position) => ledger.reached(descriptor, position))
  }
  ledger.settle(descriptor, await target.write(descriptor, from, options))
}

/** Tells how far into the content the reader has come. */
function counted(reader: ByteReader, offset: number, tell: (position: number) => void): ByteReader {
  let position = offset
  return {
    async read(into) {
      const count = await reader.read(into)
      position += count
      tell(position)
      return count
    },
    close: () => reader.close(),
  }
}

function uniqueByDigest(descriptors: readonly Descriptor[]): Descriptor[] {
  const seen = new Map<Digest, Descriptor>()
  for (const descriptor of descriptors)
    if (!seen.has(descriptor.digest)) seen.set(descriptor.digest, descriptor)
  return [...seen.values()]
}
