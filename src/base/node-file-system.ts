import { type Dirent, type Stats, writeSync } from 'node:fs'
import * as fs from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { failure } from './codes.ts'
import { isFailure, type SealiftError } from './error.ts'
import type { FileEntry, FileSystem, OpenFile, OpenMode } from './file-system.ts'

const flags: Record<OpenMode, string | number> = { read: 'r', update: 'r+', create: 'a+', exclusive: 'wx+' }

/** Directories known to be durable with all their parents, and which directory of that name it was. */
const durableDirectories = new Map<string, string>()
const passable = new Set(['EACCES', 'EPERM', 'EROFS', 'EINVAL'])

/** Another directory of the same name is another directory. */
async function identityOf(path: string): Promise<string | undefined> {
  const stats = await absent(path, () => fs.stat(path))
  return stats?.isDirectory() ? `${stats.dev} ${stats.ino} ${stats.birthtimeMs}` : undefined
}

/** The real disk. */
export const nodeFileSystem: FileSystem = {
  async open(path, mode) {
    // 'create' must neither truncate nor append: open for update, and make the file where that fails.
    const handle = await guard(path, async () => {
      if (mode !== 'create') return fs.open(path, flags[mode], 0o644)
      try {
        return await fs.open(path, 'r+')
      } catch (error) {
        if (errno(error) !== 'ENOENT') throw error
        return fs.open(path, 'wx+', 0o644).catch((raced) => {
          if (errno(raced) === 'EEXIST') return fs.open(path, 'r+')
          throw raced
        })
      }
    })
    return new NodeFile(path, handle)
  },
  async stat(path) {
    const stats = await absent(path, () => fs.lstat(path))
    return stats && { kind: kindOf(stats), sizeBytes: stats.size, modifiedMs: stats.mtimeMs }
  },
  async list(directory) {
    const entries = (await absent(directory, () => fs.readdir(directory, { withFileTypes: true }))) ?? []
    return entries
      .map((entry): FileEntry => ({ name: entry.name, kind: kindOf(entry) }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  },
  async makeDirectory(path, { isPassing = false } = {}) {
    const whole = resolve(path)
    if (isPassing) {
      await guard(whole, () => fs.mkdir(whole, { recursive: true }))
      return
    }
    const known = await identityOf(whole)
    if (known !== undefined && durableDirectories.get(whole) === known) return
    const first = await guard(whole, () => fs.mkdir(whole, { recursive: true }))
    // What was there may be of a process that was killed before it synced: the whole chain, once.
    for (let made = whole; made !== dirname(made); made = dirname(made)) {
      await nodeFileSystem.syncDirectory(dirname(made)).catch((error: unknown) => {
        if (first !== undefined && made.length >= resolve(first).length) throw error
        // A parent that we may pass and not read was there before us, and is not ours to sync.
        if (!isFailure(error) || !passable.has(String(error.detail.errno))) throw error
      })
    }
    if (durableDirectories.size > 10_000) durableDirectories.clear()
    durableDirectories.set(whole, (await identityOf(whole)) ?? '')
  },
  rename: (from, to) => guard(to, () => fs.rename(from, to)),
  link: (from, to) => guard(to, () => fs.link(from, to)),
  async remove(path) {
    await absent(path, () =>
      fs.unlink(path).catch((error) => {
        if (errno(error) === 'EISDIR' || errno(error) === 'EPERM') return fs.rmdir(path)
        throw error
      }),
    )
  },
  async syncDirectory(path) {
    await guard(path, async () => {
      const handle = await fs.open(path, 'r')
      await handle.sync().finally(() => handle.close())
    })
  },
  async touch(path) {
    const now = new Date()
    return (await absent(path, async () => (await fs.utimes(path, now, now)) ?? true)) ?? false
  },
  async freeBytes(path) {
    for (let at = path; ; at = dirname(at)) {
      const stats = await absent(at, () => fs.statfs(at))
      if (stats) return stats.bavail * stats.bsize
    }
  },
}

/**
 * Up to this size a write goes to the page cache at once: that takes a few microseconds, the way to a thread of the
 * pool and back many times that (measured: 1,500 small blobs into an archive took 0.4 s of it).
 */
const synchronousBytes = 128 * 1024

class NodeFile implements OpenFile {
  readonly #path: string
  readonly #handle: fs.FileHandle
  constructor(path: string, handle: fs.FileHandle) {
    this.#path = path
    this.#handle = handle
  }
  async read(into: Uint8Array, position: number): Promise<number> {
    return (await guard(this.#path, () => this.#handle.read(into, 0, into.length, position))).bytesRead
  }
  async write(bytes: Uint8Array, position: number): Promise<void> {
    if (bytes.length <= synchronousBytes) {
      guardSync(this.#path, () => this.#writeNow(bytes, position))
      return
    }
    for (let done = 0; done < bytes.length; ) {
      const rest = bytes.length - done
      const { bytesWritten } = await guard(this.#path, () =>
        this.#handle.write(bytes, done, rest, position + done),
      )
      done += bytesWritten
    }
  }
  #writeNow(bytes: Uint8Array, position: number): void {
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.#handle.fd, bytes, done, bytes.length - done, position + done)
    }
  }
  truncate(sizeBytes: number): Promise<void> {
    return guard(this.#path, () => this.#handle.truncate(sizeBytes))
  }
  sync(): Promise<void> {
    return guard(this.#path, () => this.#handle.sync())
  }
  async size(): Promise<number> {
    return (await guard(this.#path, () => this.#handle.stat())).size
  }
  close(): Promise<void> {
    return guard(this.#path, () => this.#handle.close())
  }
}

function kindOf(entry: Dirent | Stats): FileEntry['kind'] {
  if (entry.isFile()) return 'file'
  if (entry.isDirectory()) return 'directory'
  return entry.isSymbolicLink() ? 'link' : 'other'
}

function errno(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code
}

async function guard<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    throw fileSystemFailure(path, error)
  }
}

function guardSync<T>(path: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    throw fileSystemFailure(path, error)
  }
}

async function absent<T>(path: string, act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act()
  } catch (error) {
    if (errno(error) === 'ENOENT' || errno(error) === 'ENOTDIR') return undefined
    throw fileSystemFailure(path, error)
  }
}

/** Wraps an error of node:fs: the errno travels in `detail.errno`. */
export function fileSystemFailure(path: string, error: unknown): SealiftError {
  const code = errno(error) ?? 'EIO'
  const detail = { errno: code, path }
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return failure('DISK_FULL', `no space left while writing ${path}`, { cause: error, detail })
  }
  const why = error instanceof Error ? error.message : String(error)
  return failure('FILE_SYSTEM', `${path}: ${why}`, { cause: error, detail })
}
