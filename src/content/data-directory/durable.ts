import { dirname, join } from 'node:path'
import { type FileSystem, isFailure } from '#base/index.ts'
import { Recent } from './recent.ts'

/** How a small file is named before it is whole. */
export const freshSuffix = '.new'

/** Small durable files and durable names, with as few syncs as many pushes at once need. */
export class Durable {
  readonly fs: FileSystem
  readonly #running = new Map<string, { promise: Promise<void>; next?: Promise<void> }>()
  /** Directories in which names are being made, and how many. */
  readonly #changing = new Map<string, number>()
  readonly #settled = new Recent<string, true>(10_000)

  constructor(fs: FileSystem) {
    this.fs = fs
  }

  /** Brings the names in a directory to the disk. Calls that come while one runs share the next one. */
  names(directory: string): Promise<void> {
    const running = this.#running.get(directory)
    if (!running) return this.#run(directory)
    running.next ??= running.promise.catch(() => undefined).then(() => this.#run(directory))
    return running.next
  }

  /** Makes a name in `directory` that lasts when this resolves. */
  async named<T>(directory: string, make: () => Promise<T>): Promise<T> {
    this.#changing.set(directory, (this.#changing.get(directory) ?? 0) + 1)
    try {
      const made = await make()
      await this.names(directory)
      return made
    } finally {
      const left = (this.#changing.get(directory) ?? 1) - 1
      if (left > 0) this.#changing.set(directory, left)
      else this.#changing.delete(directory)
    }
  }

  /**
   * Before anybody relies on names that were found in `directory`: whoever made them may have been killed before
   * they lasted, or may be about to see to it. Once for each directory is enough, except while names are made.
   */
  async settle(directory: string): Promise<void> {
    if (this.#settled.get(directory) && !this.#changing.has(directory)) return
    try {
      await this.names(directory)
      this.#settled.set(directory, true)
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error
    }
  }

  #run(directory: string): Promise<void> {
    const promise = this.fs.syncDirectory(directory).finally(() => {
      if (this.#running.get(directory)?.promise === promise) this.#running.delete(directory)
    })
    this.#running.set(directory, { promise })
    return promise
  }

  /** An empty file; nothing happens where it exists. */
  async mark(path: string): Promise<void> {
    await this.named(dirname(path), async () => {
      const file = await this.fs.open(path, 'exclusive').catch((error: unknown) => {
        if (errnoOf(error) === 'EEXIST') return undefined
        throw error
      })
      await file?.close()
    })
  }

  /** A small file, replaced in one step. */
  async put(path: string, text: string): Promise<void> {
    // A dot begins no tag and no digest.
    const fresh = join(dirname(path), `.${crypto.randomUUID()}${freshSuffix}`)
    const file = await this.fs.open(fresh, 'exclusive')
    try {
      await file.write(Buffer.from(text), 0)
      await file.sync()
    } finally {
      await file.close()
    }
    await this.named(dirname(path), () => this.fs.rename(fresh, path))
  }

  /** The text of a small file, cut off after `maxBytes`; undefined where it is absent. */
  async text(path: string, maxBytes = 64 * 1024): Promise<string | undefined> {
    const file = await this.fs.open(path, 'read').catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined
      throw error
    })
    if (!file) return undefined
    try {
      let bytes = Buffer.allocUnsafe(Math.min(maxBytes, 1024))
      for (let filled = 0; ; ) {
        const count = await file.read(bytes.subarray(filled), filled)
        filled += count
        if (count === 0 || filled === maxBytes) return bytes.toString('utf8', 0, filled)
        if (filled === bytes.length) {
          bytes = Buffer.concat([bytes, Buffer.allocUnsafe(Math.min(bytes.length, maxBytes - filled))])
        }
      }
    } finally {
      await file.close()
    }
  }

  /** Takes a name away, durably; false where there was none. */
  async drop(path: string): Promise<boolean> {
    if (!(await this.fs.stat(path))) return false
    await this.fs.remove(path)
    await this.names(dirname(path))
    return true
  }
}

export const errnoOf = (error: unknown): unknown => (isFailure(error) ? error.detail.errno : undefined)
