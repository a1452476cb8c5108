import { basename, dirname, join } from 'node:path'
import { type FileSystem, isFailure, readUpTo, replaceFile } from '#base/index.ts'
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
   * Durable when it resolves. The files are written in place: until a checkpoint tells of it nobody reads a tile, and
   * after that nobody changes it.
   */
  async writeTiles(tiles: readonly FilledTile[]): Promise<void> {
    const written = tiles.map((tile) => ({ path: join(this.#directory, tilePath(tile)), bytes: tile.bytes }))
    const directories = [...new Set(written.map(({ path }) => dirname(path)))]
    await all(directories.map((directory) => this.#fs.makeDirectory(directory)))
    await all(written.map(({ path, bytes }) => this.#writeTile(path, bytes)))
    await all(directories.map((directory) => this.#fs.syncDirectory(directory)))
  }

  /** Puts a small file (`checkpoint`) in the place of what was there, in one durable step. */
  async replace(path: string, text: string): Promise<void> {
    // One name for the new file: what a kill has left of it is removed, and there is one writer.
    const whole = join(this.#directory, path)
    const temporary = join(dirname(whole), `.${basename(whole)}.new`)
    await this.#fs.remove(temporary)
    await replaceFile(this.#fs, whole, new TextEncoder().encode(text), temporary)
  }

  /** Removes the partial tiles of one that is full (C2SP tlog-tiles, Partial Tiles, allows it). */
  async removePartial(tile: Tile): Promise<void> {
    const directory = join(this.#directory, `${tilePath({ ...tile, width: tileWidth })}.p`)
    for (const { name } of await this.#fs.list(directory)) await this.#fs.remove(join(directory, name))
    await this.#fs.remove(directory)
  }

  async #writeTile(path: string, bytes: Uint8Array): Promise<void> {
    const file = await this.#fs.open(path, 'create')
    try {
      if ((await file.size()) > bytes.length) await file.truncate(bytes.length)
      await file.write(bytes, 0)
      await file.sync()
    } finally {
      await file.close()
    }
  }
}

/** Waits for all of them also where one fails: nothing may be under way when the failure is told. */
async function all(promises: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(promises)) {
    if (result.status === 'rejected') throw result.reason
  }
}
