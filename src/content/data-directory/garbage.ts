import { join } from 'node:path'
import { type FileSystem, isFailure, limits, nodeFileSystem, type OnProgress } from '#base/index.ts'
import { childrenOf, type Digest, isDigest, isMediaType, type Manifest, parseManifest } from '#oci/index.ts'
import { readVerified } from '../readers.ts'
import type { CallOptions } from '../types.ts'
import { assertOurs, repositoryNames } from './data-directory.ts'
import { DataPaths, digestFromName, type RepositoryPaths } from './paths.ts'
import { Shelves } from './shelves.ts'

export interface GarbageOptions extends CallOptions {
  readonly fs?: FileSystem
  /** Milliseconds since 1970. */
  readonly now?: () => number
  /** What was written, asked for or answered for within this time is kept; an hour where it is not said. */
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
  #manifests = 0
  #uploads = 0

  constructor(fs: FileSystem, paths: DataPaths, options: GarbageOptions) {
    this.#fs = fs
    this.#paths = paths
    this.#options = options
    const now = options.now ?? Date.now
    this.#shelves = new Shelves(fs, paths, now)
    this.#oldestKeptMs = now() - (options.graceMs ?? 3_600_000)
  }

  async run(): Promise<GarbageReport> {
    this.#options.onProgress?.({ type: 'phase', name: 'reading manifests' })
    for await (const name of repositoryNames(this.#fs, this.#paths)) {
      this.#options.signal?.throwIfAborted()
      await this.#markRepository(this.#paths.repository(name))
    }
    this.#options.onProgress?.({ type: 'phase', name: 'removing' })
    const blobs = await this.#sweep()
    if (!this.#options.dryRun) await this.#emptyTrash()
    return { blobs, manifests: this.#manifests, uploads: this.#uploads }
  }

  async #markRepository(repository: RepositoryPaths): Promise<void> {
    const manifests = await this.#manifestsOf(repository)
    const kept = this.#options.untagged ? await this.#reachedByTags(repository, manifests) : manifests
    const used = new Set<Digest>()
    for (const [digest, manifest] of manifests) {
      if (!kept.has(digest) && (await this.#isOld(repository.manifestLink(digest), digest))) {
        await this.#dropManifest(repository, digest, manifest)
        continue
      }
      used.add(digest)
      for (const child of childrenOf(manifest)) used.add(child.digest)
    }
    for (const { name } of await this.#fs.list(repository.blobLinks)) {
      const digest = digestFromName(name)
      if (!digest || used.has(digest)) continue
      if (await this.#isOld(repository.blobLink(digest), digest))
        await this.#drop(repository.blobLink(digest))
      // Pushed lately: the manifest that names it is still to come.
      else used.add(digest)
    }
    for (const digest of used) this.#used.add(digest)
    for (const { name } of await this.#fs.list(repository.uploads)) {
      const stat = await this.#fs.stat(join(repository.uploads, name))
      const expiryMs = this.#options.uploadExpiryMs ?? 86_400_000
      if (!stat || (this.#options.now ?? Date.now)() - stat.modifiedMs < expiryMs) continue
      this.#uploads++
      await this.#drop(join(repository.uploads, name))
    }
  }

  async #manifestsOf(repository: RepositoryPaths): Promise<Map<Digest, Manifest>> {
    const manifests = new Map<Digest, Manifest>()
    for (const { name } of await this.#fs.list(repository.manifestLinks)) {
      const digest = digestFromName(name)
      if (!digest) continue
      const mediaType = await this.#shelves.durable.text(repository.manifestLink(digest), 1024)
      const stat = await this.#fs.stat(this.#paths.blob(digest))
      if (!isMediaType(mediaType) || !stat) continue
      const content = { mediaType, digest, size: stat.sizeBytes }
      const source = { open: async () => this.#shelves.read(content) }
      // What cannot be read keeps the collection from knowing what it names: better to stop than to guess.
      const bytes = await readVerified(source, content, limits.manifestBytes)
      manifests.set(digest, parseManifest(bytes, mediaType))
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

  async #dropManifest(repository: RepositoryPaths, digest: Digest, manifest: Manifest): Promise<void> {
    this.#manifests++
    await this.#drop(repository.manifestLink(digest))
    if (!manifest.subject) return
    await this.#drop(join(repository.referrersOf(manifest.subject.digest), digest.replace(':', '-')))
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
        for (const { name } of await this.#fs.list(directory)) {
          this.#options.signal?.throwIfAborted()
          const path = join(directory, name)
          const digest = `${algorithm}:${name.replace(/\.partial$/, '')}`
          if (!isDigest(digest) || (this.#used.has(digest) && !name.endsWith('.partial'))) continue
          const stat = await this.#fs.stat(path)
          if (!stat || stat.modifiedMs >= this.#oldestKeptMs) continue
          if (!this.#options.dryRun && !(await this.#remove(path))) continue
          freed.items++
          freed.sizeBytes += stat.sizeBytes
          this.#options.onProgress?.({ type: 'advance', sizeBytes: stat.sizeBytes })
        }
      }
    }
    return freed
  }

  /** Moved aside first: if it was renewed between the look and the move, somebody was told that it is there. */
  async #remove(path: string): Promise<boolean> {
    await this.#fs.makeDirectory(this.#paths.trash)
    const aside = join(this.#paths.trash, crypto.randomUUID())
    try {
      await this.#fs.rename(path, aside)
    } catch (error) {
      if (isFailure(error) && error.detail.errno === 'ENOENT') return false
      throw error
    }
    const stat = await this.#fs.stat(aside)
    if (stat && stat.modifiedMs < this.#oldestKeptMs) {
      await this.#fs.remove(aside)
      return true
    }
    await this.#fs.link(aside, path).catch((error: unknown) => {
      // It was pushed anew meanwhile.
      if (!isFailure(error) || error.detail.errno !== 'EEXIST') throw error
    })
    await this.#fs.remove(aside)
    return false
  }

  /** What a collection that was killed between its two looks left aside. */
  async #emptyTrash(): Promise<void> {
    for (const { name } of await this.#fs.list(this.#paths.trash)) {
      const stat = await this.#fs.stat(join(this.#paths.trash, name))
      if (stat && stat.modifiedMs < this.#oldestKeptMs) await this.#fs.remove(join(this.#paths.trash, name))
    }
  }

  async #drop(path: string): Promise<void> {
    if (!this.#options.dryRun) await this.#shelves.durable.drop(path)
  }
}
