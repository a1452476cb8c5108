import { dirname, join } from 'node:path'
import {
  baseFailure,
  type FileSystem,
  isFailure,
  lockDirectory,
  readUpTo,
  replaceFile,
  secretLimits,
} from '#base/index.ts'
import type { SecretStore, Stored } from '../types.ts'
import { failure } from './codes.ts'
import { formatSecretFile, parseSecretFile, revisionOf, secretFileHead } from './secret-file.ts'
import { checkStored, isKeyPrefix, keyNames, newRevision, pageSize } from './secret-key.ts'

export interface FileStoreOptions {
  /** How long a change waits for another process, in milliseconds. */
  readonly busyMs?: number
}

/**
 * Secrets as files in a directory of their own: `a/b/=c` holds the value of `a/b/c`, so that `a` and `a/b` can both
 * be there, and no name of a key can be a name of the store's own. A change is on the disk when it resolves; one
 * process changes at a time (`lockDirectory`), and readers take no lock: a file is replaced in one step. What a
 * reader is told is on the disk too, even where its writer was killed before it had seen to that: whoever acts on a
 * value must not find after a power cut that there never was one.
 *
 * Directory modes are the operator's: what lies here readable is what was put in unsealed.
 */
export class FileSecretStore implements SecretStore {
  readonly #fs: FileSystem
  readonly #values: string
  readonly #new: string
  readonly #directory: string
  readonly #busyMs: number
  /** The end of the last change of this process: those within it wait for each other here, in their order. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(fs: FileSystem, directory: string, { busyMs = secretLimits.busyMs }: FileStoreOptions = {}) {
    this.#fs = fs
    this.#directory = directory
    this.#values = join(directory, 'values')
    this.#new = join(directory, 'new')
    this.#busyMs = busyMs
  }

  /** @throws SECRET_KEY_INVALID, SECRET_DAMAGED, FILE_SYSTEM */
  async read(key: string, signal?: AbortSignal): Promise<Stored | undefined> {
    const path = this.#path(keyNames(key))
    signal?.throwIfAborted()
    const bytes = await this.#bytes(path)
    await this.#syncParent(path)
    return bytes && parseSecretFile(bytes, key)
  }

  /** @throws FILE_SYSTEM */
  async list(
    prefix: string,
    { after, limit }: { readonly after?: string; readonly limit?: number } = {},
  ): Promise<readonly string[]> {
    const keys: string[] = []
    const most = pageSize(limit)
    if (isKeyPrefix(prefix) && most > 0) await this.#walk('', { prefix, after: after ?? '', most, keys })
    return keys
  }

  /**
   * @throws SECRET_KEY_INVALID, SECRET_VALUE_TOO_LARGE, SECRET_STORE_BUSY, DISK_FULL, FILE_SYSTEM;
   *   after the last two the change may have come through
   */
  compareAndSet(
    key: string,
    expectedRevision: string | undefined,
    value: Uint8Array | null,
    signal?: AbortSignal,
  ): Promise<string | undefined> {
    const before = this.#last
    const change = async () => {
      const path = this.#path(keyNames(key))
      checkStored(value)
      await before
      signal?.throwIfAborted()
      return this.#change(path, expectedRevision, value, signal)
    }
    const result = change()
    // A call that is refused at once must not let the next one past those that still work.
    this.#last = Promise.allSettled([before, result])
    return result
  }

  async #change(
    path: string,
    expected: string | undefined,
    value: Uint8Array | null,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    const fs = this.#fs
    const lock = await lockDirectory(fs, this.#directory, { waitMs: this.#busyMs, signal })
    if (!lock) throw busy()
    try {
      // What a process that was killed left: nobody else writes while the lock is held.
      for (const { name } of await fs.list(this.#new)) await fs.remove(join(this.#new, name))
      const bytes = await this.#bytes(path)
      if ((bytes && revisionOf(bytes)) !== expected) return undefined
      if (!(await lock.isHeld())) throw busy()
      if (value === null) {
        if (bytes) await this.#remove(path)
        return expected
      }
      const revision = newRevision()
      await fs.makeDirectory(dirname(path))
      const beside = join(this.#new, crypto.randomUUID())
      await replaceFile(fs, path, formatSecretFile(revision, value), beside)
      return revision
    } finally {
      await lock.release()
    }
  }

  /** The file, and the directories that it leaves empty. */
  async #remove(path: string): Promise<void> {
    await this.#fs.remove(path)
    for (let at = dirname(path); ; at = dirname(at)) {
      await this.#fs.syncDirectory(at)
      if (at === this.#values || (await this.#fs.list(at)).length > 0) return
      await this.#fs.remove(at)
    }
  }

  /** Costs next to nothing where nothing is pending. Directories themselves are durable once they are there. */
  async #syncParent(path: string): Promise<void> {
    try {
      await this.#fs.syncDirectory(dirname(path))
    } catch (error) {
      if (!isFailure(error) || error.detail.errno !== 'ENOENT') throw error
    }
  }

  async #bytes(path: string): Promise<Uint8Array | undefined> {
    try {
      const file = await this.#fs.open(path, 'read')
      try {
        return await readUpTo(file, secretFileHead + secretLimits.storedBytes)
      } finally {
        await file.close()
      }
    } catch (error) {
      if (isFailure(error) && error.detail.errno === 'ENOENT') return undefined
      throw error
    }
  }

  #path(names: readonly string[]): string {
    return join(this.#values, ...names.slice(0, -1), `=${names.at(-1)}`)
  }

  /**
   * Byte order at each level: the value `a` sorts as `a`, the directory `a` as `a/`. No name holds a `/`, so that
   * this is the order of whole keys.
   */
  async #walk(
    folder: string,
    page: { readonly prefix: string; readonly after: string; readonly most: number; readonly keys: string[] },
  ): Promise<void> {
    const { prefix, after, most, keys } = page
    const entries = await this.#fs.list(join(this.#values, folder)).catch((error: unknown) => {
      // Removed meanwhile.
      if (isFailure(error) && error.detail.errno === 'ENOENT') return []
      throw error
    })
    const found = entries.flatMap(({ name, kind }) => {
      if (kind === 'file' && name.startsWith('=')) return [folder + name.slice(1)]
      return kind === 'directory' ? [`${folder}${name}/`] : []
    })
    for (const key of found.sort()) {
      if (keys.length >= most) return
      if (!key.endsWith('/')) {
        if (key.startsWith(prefix) && key > after) keys.push(key)
        continue
      }
      const canMatch = key.startsWith(prefix) || prefix.startsWith(key)
      // All keys below begin so: they are after `after` unless it is beyond them all.
      const canFollow = key > after || after.startsWith(key)
      if (canMatch && canFollow) await this.#walk(key, page)
    }
  }
}

const busy = () =>
  failure('SECRET_STORE_BUSY', 'another process held the directory of the store for too long')

/** @throws SECRET_STORE_FOREIGN where the directory holds something else, FILE_SYSTEM */
export async function openFileStore(
  fs: FileSystem,
  directory: string,
  options: FileStoreOptions = {},
): Promise<FileSecretStore> {
  const stat = await fs.stat(directory)
  if (stat && stat.kind !== 'directory') throw baseFailure('FILE_SYSTEM', `${directory} is not a directory`)
  const strange = (await fs.list(directory)).find(
    ({ name }) => name !== 'values' && name !== 'new' && name !== 'lock' && !name.startsWith('lock.'),
  )
  if (strange) {
    throw failure('SECRET_STORE_FOREIGN', `${directory} is no secret store: it holds ${strange.name}`)
  }
  await fs.makeDirectory(join(directory, 'values'))
  await fs.makeDirectory(join(directory, 'new'))
  return new FileSecretStore(fs, directory, options)
}
