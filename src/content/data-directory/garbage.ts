import { dirname, join } from 'node:path'
import { type FileSystem, isFailure, limits, nodeFileSystem, type OnProgress } from '#base/index.ts'
import { childrenOf, type Digest, isDigest, isMediaType, type Manifest, parseManifest } from '#oci/index.ts'
import { readVerified } from '../readers.ts'
import type { CallOptions } from '../types.ts'
import { asideFrom, putBack, takeAway } from './aside.ts'
import { assertOurs, repositoryNames } from './data-directory.ts'
import { freshSuffix } from './durable.ts'
import { DataPaths, digestFromName, fileName, type RepositoryPaths } from './paths.ts'
import { renewAfterMs, Shelves } from './shelves.ts'

export interface GarbageOptions extends CallOptions {
  readonly fs?: FileSystem
  /** Milliseconds since 1970. */
  readonly now?: () => number
  /**
   * What was written, asked for or answered for within this time is kept; an hour where it is not said. At least
   * twice the time after which a server renews what it answers for, or 0 where nobody is pushing.
   */
  readonly graceMs?: number
  /** Uploads without a byte for this time are dropped; a day where it is not said. */
  readonly uploadExpiryMs?: number
  /** Manifests that no tag reaches go too. */
  readonly untagged?: boolean
  readonly dryRun?: boolean
  readonly onProgress?: OnProgress
}

export interface GarbageReport {
  readonly blobs: { readonly items: number; readonly sizeBytes: number }
  readonly manifests: number
  readonly uploads: number
  /** Of contents and uploads together. */
  readonly freedBytes: number
}

/**
 * Removes what no manifest of any repository names. Runs beside a live server, also in another process, and stops
 * nothing: whatever a push is told to be there has its time renewed, and what is younger than the grace time stays.
 * A content on its way out is first moved aside, and moved back where it was asked for in between.
 */
export async function collectGarbage(path: string, options: GarbageOptions = {}): Promise<GarbageReport> {
  const fs = options.fs ?? nodeFileSystem
  await assertOurs(fs, path, false)
  return new Collection(fs, new DataPaths(path), options).run()
}

class Collection {
  readonly #fs: FileSystem
  readonly #paths: DataPaths
  readonly #shelves: Shelves
  readonly #options: GarbageOptions
  /** Begun before anything is read: what comes later is younger. */
  readonly #oldestKeptMs: number
  readonly #used = new Set<Digest>()
  /** Directories of links that were taken away, to be brought to the disk. */
  readonly #changed = new Set<string>()
  #manifests = 0
  #uploads = 0
  #uploadBytes = 0

  constructor(fs: FileSystem, paths: DataPaths, options: GarbageOptions) {
    this.#fs = fs
    this.#paths = paths
    this.#options = options
    const now = options.now ?? Date.now
    this.#shelves = new Shelves(fs, paths, now)
    const graceMs = options.graceMs ?? 3_600_000
    this.#oldestKeptMs = now() - (graceMs === 0 ? 0 : Math.max(graceMs, 2 * renewAfterMs))
  }

  async run(): Promise<GarbageReport> {
    this.#options.onProgress?.({ type: 'phase', name: 'reading manifests' })
    for await (const name of repositoryNames(this.#fs, this.#paths)) {
      this.#options.signal?.throwIfAborted()
      await this.#markRepository(this.#paths.repository(name))
    }
    this.#options.onProgress?.({ type: 'phase', name: 'removing' })
    const blobs = await this.#sweep()
    const freedBytes = blobs.sizeBytes + this.#uploadBytes
    return { blobs, manifests: this.#manifests, uploads: this.#uploads, freedBytes }
  }

  async #markRepository(repository: RepositoryPaths): Promise<void> {
    const manifests = await this.#manifestsOf(repository)
    const links = await this.#names(repository.blobLinks)
    if (!manifests) {
      for (const name of [...links, ...(await this.#names(repository.manifestLinks))]) {
        const digest = digestFromName(name)
        if (digest) this.#used.add(digest)
      }
      return
    }
    const kept = this.#options.untagged ? await this.#reachedByTags(repository, manifests) : manifests
    const used = new Set<Digest>()
    for (const [digest, manifest] of manifests) {
      if (!kept.has(digest) && (await this.#dropLink(repository.manifestLink(digest), digest))) {
        this.#manifests++
        await this.#dropReferrer(repository, digest, manifest)
        continue
      }
      used.add(digest)
      for (const child of childrenOf(manifest)) used.add(child.digest)
    }
    for (const name of links) {
      const digest = digestFromName(name)
      if (!digest || used.has(digest)) continue
      // Pushed lately: the manifest that names it is still to come.
      if (!(await this.#dropLink(repository.blobLink(digest), digest))) used.add(digest)
    }
    await this.#names(repository.tags)
    for (const directory of this.#changed) await this.#fs.syncDirectory(directory)
    this.#changed.clear()
    for (const digest of used) this.#used.add(digest)
    for (const { name } of await this.#fs.list(repository.uploads)) {
      const stat = await this.#fs.stat(join(repository.uploads, name))
      const expiryMs = this.#options.uploadExpiryMs ?? 86_400_000
      if (!stat || (this.#options.now ?? Date.now)() - stat.modifiedMs < expiryMs) continue
      this.#uploads++
      this.#uploadBytes += stat.sizeBytes
      if (!this.#options.dryRun) await this.#fs.remove(join(repository.uploads, name))
    }
  }

  /** Undefined where one cannot be read, so that nobody knows what it names: then all of the repository is kept. */
  async #manifestsOf(repository: RepositoryPaths): Promise<Map<Digest, Manifest> | undefined> {
    const manifests = new Map<Digest, Manifest>()
    for (const name of await this.#names(repository.manifestLinks)) {
      const digest = digestFromName(name)
      if (!digest) continue
      const mediaType = await this.#shelves.durable.text(repository.manifestLink(digest), 1024)
      const stat = await this.#fs.stat(this.#paths.blob(digest))
      if (!isMediaType(mediaType) || !stat) continue
      const content = { mediaType, digest, size: stat.sizeBytes }
      const source = { open: async () => this.#shelves.read(content) }
      try {
        const bytes = await readVerified(source, content, limits.manifestBytes, this.#options)
        manifests.set(digest, parseManifest(bytes, mediaType))
      } catch (error) {
        if (!isFailure(error)) throw error
        const text = `${digest} cannot be read, so its whole repository is kept: ${error.message}`
        this.#options.onProgress?.({ type: 'note', text })
        return undefined
      }
    }
    return manifests
  }

  /** Tagged manifests, what they name, and what refers to any of them. */
  async #reachedByTags(
    repository: RepositoryPaths,
    manifests: ReadonlyMap<Digest, Manifest>,
  ): Promise<ReadonlyMap<Digest, Manifest>> {
    const queue: Digest[] = []
    for (const { name } of await this.#fs.list(repository.tags)) {
      const digest = await this.#shelves.durable.text(repository.tag(name), 1024)
      if (isDigest(digest)) queue.push(digest)
    }
    const referrers = new Map<Digest, Digest[]>()
    for (const [digest, { subject }] of manifests) {
      if (subject) referrers.set(subject.digest, [...(referrers.get(subject.digest) ?? []), digest])
    }
    const reached = new Map<Digest, Manifest>()
    for (let digest = queue.pop(); digest; digest = queue.pop()) {
      const manifest = manifests.get(digest)
      if (!manifest || reached.has(digest)) continue
      reached.set(digest, manifest)
      queue.push(...childrenOf(manifest).map((child) => child.digest), ...(referrers.get(digest) ?? []))
    }
    return reached
  }

  async #dropReferrer(repository: RepositoryPaths, digest: Digest, { subject }: Manifest): Promise<void> {
    if (!subject || this.#options.dryRun) return
    await this.#shelves.durable.drop(join(repository.referrersOf(subject.digest), fileName(digest)))
  }

  /** Takes a link away that neither itself nor its content has been used within the grace time. */
  async #dropLink(link: string, digest: Digest): Promise<boolean> {
    if (!(await this.#isOld(link, digest))) return false
    if (this.#options.dryRun) return true
    const isGone = await takeAway(this.#fs, link, (aside) => this.#isOld(aside, digest))
    if (isGone) this.#changed.add(dirname(link))
    return isGone
  }

  /** Neither the link nor the content has been used within the grace time. */
  async #isOld(link: string, digest: Digest): Promise<boolean> {
    for (const path of [link, this.#paths.blob(digest)]) {
      const stat = await this.#fs.stat(path)
      if (stat && stat.modifiedMs >= this.#oldestKeptMs) return false
    }
    return true
  }

  async #sweep(): Promise<{ items: number; sizeBytes: number }> {
    const freed = { items: 0, sizeBytes: 0 }
    for (const algorithm of ['sha256', 'sha384', 'sha512']) {
      for (const shard of await this.#fs.list(join(this.#paths.blobs, algorithm))) {
        const directory = join(this.#paths.blobs, algorithm, shard.name)
        const before = freed.items
        for (const name of await this.#names(directory)) {
          this.#options.signal?.throwIfAborted()
          const isPartial = name.endsWith('.partial')
          const digest = `${algorithm}:${isPartial ? name.slice(0, -'.partial'.length) : name}`
          if (!isDigest(digest) || (this.#used.has(digest) && !isPartial)) continue
          const path = join(directory, name)
          const stat = await this.#fs.stat(path)
          if (!stat || stat.modifiedMs >= this.#oldestKeptMs) continue
          if (!(this.#options.dryRun || (await takeAway(this.#fs, path, (aside) => this.#isUnused(aside)))))
            continue
          freed.items++
          freed.sizeBytes += stat.sizeBytes
          this.#options.onProgress?.({ type: 'advance', sizeBytes: stat.sizeBytes })
        }
        if (freed.items > before && !this.#options.dryRun) await this.#fs.syncDirectory(directory)
      }
    }
    return freed
  }

  async #isUnused(aside: string): Promise<boolean> {
    const stat = await this.#fs.stat(aside)
    return stat !== undefined && stat.modifiedMs < this.#oldestKeptMs
  }

  /** The names in a directory, after what dead processes left in it is put back or removed. */
  async #names(directory: string): Promise<string[]> {
    const names = new Set<string>()
    for (const { name } of await this.#fs.list(directory)) {
      const original = asideFrom(name)
      if (original !== undefined && !this.#options.dryRun) await putBack(this.#fs, join(directory, original))
      const isFresh = name.startsWith('.') && name.endsWith(freshSuffix)
      if (isFresh && !this.#options.dryRun && (await this.#isUnused(join(directory, name)))) {
        await this.#fs.remove(join(directory, name))
      }
      if (original !== undefined || !isFresh) names.add(original ?? name)
    }
    return [...names]
  }
}
