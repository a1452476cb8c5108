import { type FileHandle, open, readdir, readFile, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileSystemFailure } from '#base/index.ts'
import type { RandomAccess } from './elf.ts'

/** The machine's files as the dynamic linker sees them: what the search for libraries needs, and no more. */
export interface HostFiles {
  /** The file with all links resolved, where there is a regular file. */
  realFile(path: string): Promise<string | undefined>
  open(path: string): Promise<RandomAccess & AsyncDisposable>
  /** A small file whole; `undefined` where it is absent or larger than `maxBytes`. */
  read(path: string, maxBytes: number): Promise<Uint8Array | undefined>
  /** Names in a directory, in byte order; none where it is absent. */
  names(directory: string): Promise<readonly string[]>
}

/** The files under `root`, which is `/` unless a system was put together elsewhere (a sysroot). */
export function hostFiles(root = '/'): HostFiles {
  const place = (path: string) => (root === '/' ? path : join(root, path))
  return {
    async realFile(path) {
      const real = await absent(realpath(place(path)))
      if (real === undefined || !(await stat(real)).isFile()) return undefined
      return root === '/' ? real : `/${real.slice((await realpath(root)).length + 1)}`
    },
    async open(path) {
      const handle = await open(place(path), 'r').catch((error) => {
        throw fileSystemFailure(path, error)
      })
      return new HandleAccess(path, handle, (await handle.stat()).size)
    },
    async read(path, maxBytes) {
      const stats = await absent(stat(place(path)))
      if (!stats?.isFile() || stats.size > maxBytes) return undefined
      return absent(readFile(place(path)))
    },
    async names(directory) {
      const names = (await absent(readdir(place(directory)))) ?? []
      return names.sort((a, b) => (a < b ? -1 : 1))
    },
  }
}

class HandleAccess implements RandomAccess {
  readonly sizeBytes: number
  readonly #path: string
  readonly #handle: FileHandle
  constructor(path: string, handle: FileHandle, sizeBytes: number) {
    this.#path = path
    this.#handle = handle
    this.sizeBytes = sizeBytes
  }
  async read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length)
    let filled = 0
    while (filled < length) {
      const { bytesRead } = await this.#handle
        .read(bytes, filled, length - filled, offset + filled)
        .catch((error) => {
          throw fileSystemFailure(this.#path, error)
        })
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return bytes.subarray(0, filled)
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close()
  }
}

/** `undefined` for what is not there or must not be looked at, as the dynamic linker goes on to the next place. */
async function absent<T>(looking: Promise<T>): Promise<T | undefined> {
  try {
    return await looking
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? ''
    if (['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'ENAMETOOLONG'].includes(code)) return undefined
    throw fileSystemFailure((error as NodeJS.ErrnoException).path ?? '', error)
  }
}
