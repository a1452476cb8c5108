import { join } from 'node:path'
import { type FileSystem, nodeFileSystem, replaceFile } from '#base/index.ts'
import { isRepositoryName } from '#oci/index.ts'
import { failure } from '../codes.ts'
import { pageOf } from '../paging.ts'
import type { Repositories } from '../types.ts'
import { Durable } from './durable.ts'
import { DataPaths } from './paths.ts'
import { Shelves } from './shelves.ts'
import { DataStore } from './store.ts'

export interface DataDirectoryOptions {
  readonly fs?: FileSystem
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

const marker = 'sealift-registry.json'
const formatVersion = 1

/** The data directory of a registry server: any number of repositories that share their contents. */
export class DataDirectory implements Repositories {
  readonly #shelves: Shelves
  readonly #stores = new Map<string, DataStore>()

  constructor(shelves: Shelves) {
    this.#shelves = shelves
  }

  async repository(name: string): Promise<DataStore | undefined> {
    if (!isRepositoryName(name)) return undefined
    const known = this.#stores.get(name)
    if (known) return known
    const { root } = this.#shelves.paths.repository(name)
    const entries = await this.#shelves.fs.list(root)
    return entries.some((entry) => entry.name.startsWith('_')) ? this.#remember(name) : undefined
  }

  async create(name: string): Promise<DataStore> {
    if (!isRepositoryName(name)) throw failure('CONTENT_NOT_FOUND', 'the repository name is malformed')
    const known = this.#stores.get(name)
    if (known) return known
    await this.#shelves.fs.makeDirectory(join(this.#shelves.paths.repository(name).root, '_blobs'))
    return this.#remember(name)
  }

  async names(page?: { after?: string; limit?: number }): Promise<readonly string[]> {
    const names: string[] = []
    for await (const name of repositoryNames(this.#shelves.fs, this.#shelves.paths)) names.push(name)
    return pageOf(names, page)
  }

  #remember(name: string): DataStore {
    if (this.#stores.size > 10_000) this.#stores.clear()
    const store = new DataStore(this.#shelves, this.#shelves.paths.repository(name))
    this.#stores.set(name, store)
    return store
  }
}

/** Opens a data directory, made where it is absent. @throws LAYOUT_INVALID where the folder holds something else */
export async function openDataDirectory(
  path: string,
  options: DataDirectoryOptions = {},
): Promise<DataDirectory> {
  const fs = options.fs ?? nodeFileSystem
  const paths = new DataPaths(path)
  await assertOurs(fs, path)
  await fs.makeDirectory(paths.blobs)
  await fs.makeDirectory(paths.repositories)
  return new DataDirectory(new Shelves(fs, paths, options.now ?? Date.now))
}

/** A folder is ours where our marker says so, and becomes ours where it is empty or absent. */
export async function assertOurs(fs: FileSystem, path: string, make = true): Promise<void> {
  const text = await new Durable(fs).text(join(path, marker))
  if (text !== undefined) {
    const version = (JSON.parse(text) as { formatVersion?: unknown }).formatVersion
    if (version === formatVersion) return
    throw failure('LAYOUT_INVALID', `${path} is a data directory of another format version`)
  }
  const entries = await fs.list(path)
  if (!make || entries.some(({ name }) => !name.startsWith(marker))) {
    throw failure('LAYOUT_INVALID', `${path} is not a registry's data directory, and not empty`)
  }
  await fs.makeDirectory(path)
  await replaceFile(fs, join(path, marker), Buffer.from(`${JSON.stringify({ formatVersion })}\n`))
}

/** Every repository's name, depth first. */
export async function* repositoryNames(
  fs: FileSystem,
  paths: DataPaths,
  prefix = '',
): AsyncGenerator<string> {
  const entries = await fs.list(join(paths.repositories, prefix))
  if (prefix !== '' && entries.some(({ name }) => name.startsWith('_'))) yield prefix
  for (const { name, kind } of entries) {
    if (kind !== 'directory' || name.startsWith('_')) continue
    yield* repositoryNames(fs, paths, prefix === '' ? name : `${prefix}/${name}`)
  }
}
