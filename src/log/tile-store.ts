import { basename, dirname, join } from 'node:path'
import { type FileSystem, isFailure, type OpenFile, readUpTo } from '#base/index.ts'
import type { FilledTile } from './edge.ts'
import { type Tile, tilePath, tileWidth } from './tiles.ts'
import type { TileStore } from './types.ts'

/** A log's folder, for reading. */
export function directoryTiles(directory: string, fs: FileSystem): TileStore {
  return new DirectoryTiles(directory, fs)
}

/** A log's folder, written by whoever holds its lock. */
export class DirectoryTiles implements TileStore {
  readonly #directory: string
  readonly #fs: FileSystem
  /** Directories that this writer has made durable. */
  readonly #made = new Set<string>()

  constructor(directory: string, fs: FileSystem) {
    this.#directory = directory
    this.#fs = fs
  }

  async read(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
    try {
      const file = await this.#fs.open(join(this.#directory, path), 'read')
      return await readUpTo(file, maxBytes).finally(() => file.close())
    } catch (error) {
      const errno = isFailure(error) && error.detail.errno
      if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined
      throw error
    }
  }

  /** Whether no tile was ever written here. */
  async isEmpty(): Promise<boolean> {
    return (await this.#fs.list(join(this.#directory, 'tile'))).length === 0
  }

  /**
   * Writes tiles, and beside them a small file that is to take the place of another (`checkpoint`): durable when it
   * resolves, all in one wait for the disk. Tiles are written in place: until a checkpoint tells of one nobody reads
   * it, and after that nobody changes it.
   *
   * @returns puts the small file in its place, durably; nothing is seen of it before
   */
  async write(
    tiles: readonly FilledTile[],
    small?: { readonly path: string; readonly text: string },
  ): Promise<() => Promise<void>> {
    const written = tiles.map((tile) => ({ path: join(this.#directory, tilePath(tile)), bytes: tile.bytes }))
    const directories = [...new Set(written.map(({ path }) => dirname(path)))]
    await all(directories.map((directory) => this.#make(directory)))
    const files = written.map(({ path, bytes }) => this.#filled(path, 'create', bytes))
    if (small) files.push(this.#smallFile(small.path, small.text))
    await using opened = new AsyncDisposableStack()
    const syncs: (() => Promise<void>)[] = []
    await all(
      files.map(async (filling) => {
        const file = await filling
        opened.defer(() => file.close())
        syncs.push(() => file.sync())
      }),
    )
    // The names of new files become durable together with their contents.
    await all([
      ...syncs.map((sync) => sync()),
      ...directories.map((directory) => this.#fs.syncDirectory(directory)),
    ])
    return async () => {
      if (!small) return
      const path = join(this.#directory, small.path)
      await this.#fs.rename(this.#beside(small.path), path)
      await this.#fs.syncDirectory(dirname(path))
    }
  }

  /** Puts a small file in the place of what was there, in one durable step. */
  async replace(path: string, text: string): Promise<void> {
    const place = await this.write([], { path, text })
    await place()
  }

  /** Removes the partial tiles of one that is full (C2SP tlog-tiles, Partial Tiles, allows it). */
  async removePartial(tile: Tile): Promise<void> {
    const directory = join(this.#directory, `${tilePath({ ...tile, width: tileWidth })}.p`)
    this.#made.delete(directory)
    for (const { name } of await this.#fs.list(directory)) await this.#fs.remove(join(directory, name))
    await this.#fs.remove(directory)
  }

  async #make(directory: string): Promise<void> {
    if (this.#made.has(directory)) return
    await this.#fs.makeDirectory(directory)
    this.#made.add(directory)
  }

  async #filled(path: string, mode: 'create' | 'exclusive', bytes: Uint8Array): Promise<OpenFile> {
    const file = await this.#fs.open(path, mode)
    try {
      if (mode === 'create' && (await file.size()) > bytes.length) await file.truncate(bytes.length)
      await file.write(bytes, 0)
      return file
    } catch (error) {
      await file.close()
      throw error
    }
  }

  async #smallFile(path: string, text: string): Promise<OpenFile> {
    // One name for the new file: what a kill has left of it is removed, and there is one writer.
    const beside = this.#beside(path)
    await this.#fs.remove(beside)
    return this.#filled(beside, 'exclusive', new TextEncoder().encode(text))
  }

  #beside(path: string): string {
    const whole = join(this.#directory, path)
    return join(dirname(whole), `.${basename(whole)}.new`)
  }
}

/** Waits for all of them also where one fails: nothing may be under way when the failure is told. */
async function all(promises: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(promises)) {
    if (result.status === 'rejected') throw result.reason
  }
}
