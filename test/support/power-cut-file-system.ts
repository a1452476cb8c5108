import { basename, dirname, resolve } from 'node:path'
import {
  baseFailure,
  type FileEntry,
  type FileSystem,
  fileSystemFailure,
  type OpenFile,
  type OpenMode,
  type SealiftError,
} from '#base/index.ts'
import { DiskFile } from './power-cut-file.ts'
import { DiskDirectory, DiskNames, type DiskNode } from './power-cut-names.ts'
import { seededRandom } from './seeded-random.ts'

export interface PowerCutOptions {
  /** Decides what survives. */
  readonly seed?: number
  /** The operation that fails (the first is 1), as does every later one. Reading is no operation. */
  readonly crashAt?: number
  /** After so many written bytes the disk is full, although `freeBytes` promised room: another process took it. */
  readonly fullAfterBytes?: number
  readonly freeBytes?: number
  readonly now?: () => number
}

/**
 * A disk in memory that keeps for certain only what the contract of `FileSystem` says: content after `sync`, names
 * after `syncDirectory`. What else survives `cut` is chosen at random, and content may be torn.
 */
export class PowerCutFileSystem implements FileSystem {
  readonly #options: PowerCutOptions
  readonly #names: DiskNames
  readonly #random: () => number
  readonly #now: () => number
  #operations = 0
  #writtenBytes = 0
  #isDead = false

  constructor(options: PowerCutOptions = {}, names = new DiskNames(new DiskDirectory(0))) {
    this.#options = options
    this.#names = names
    this.#random = seededRandom(options.seed ?? 1)
    this.#now = options.now ?? Date.now
  }

  /** Operations so far: the places where `crashAt` can strike. */
  get operations(): number {
    return this.#operations
  }

  /** Whether `crashAt` has struck. */
  get hasCrashed(): boolean {
    return this.#isDead
  }

  /** The power fails: a new file system with what is left. This one is dead. */
  cut(options: PowerCutOptions = {}): PowerCutFileSystem {
    this.#isDead = true
    return new PowerCutFileSystem(
      { now: this.#now, seed: Math.floor(this.#random() * 2 ** 32), ...options },
      this.#names.survivor(this.#random),
    )
  }

  /** The process dies and the system lives on: all is there, and what was not synced still is not. */
  kill(options: PowerCutOptions = {}): PowerCutFileSystem {
    this.#isDead = true
    return new PowerCutFileSystem(
      { now: this.#now, seed: Math.floor(this.#random() * 2 ** 32), ...options },
      this.#names,
    )
  }

  open(path: string, mode: OpenMode): Promise<OpenFile> {
    const act = (): OpenFile => {
      const { directory, name, node } = this.#find(path)
      if (node instanceof DiskDirectory) throw failed(path, 'EISDIR')
      if (node && mode === 'exclusive') throw failed(path, 'EEXIST')
      if (node) return this.#file(path, node)
      if (mode === 'read' || mode === 'update' || !directory) throw failed(path, 'ENOENT')
      const made = new DiskFile(this.#now())
      this.#names.change({ directory, name, node: made })
      return this.#file(path, made)
    }
    const makes = (mode === 'create' || mode === 'exclusive') && !this.#find(path).node
    return makes ? this.#operation(act) : this.#reading(act)
  }

  stat(path: string): ReturnType<FileSystem['stat']> {
    return this.#reading(() => {
      const { node } = this.#find(path)
      if (!node) return undefined
      const sizeBytes = node instanceof DiskFile ? node.size : 4096
      return { kind: node.kind, sizeBytes, modifiedMs: node.modifiedMs }
    })
  }

  list(path: string): Promise<FileEntry[]> {
    return this.#reading(() => {
      const { node } = this.#find(path)
      if (!(node instanceof DiskDirectory)) return []
      return [...node.live]
        .map(([name, { kind }]): FileEntry => ({ name, kind }))
        .sort((a, b) => (a.name < b.name ? -1 : 1))
    })
  }

  async makeDirectory(path: string): Promise<void> {
    const chain: string[] = []
    for (let at = resolve('/', path); at !== '/'; at = dirname(at)) chain.unshift(at)
    for (const at of chain) {
      const { node } = this.#find(at)
      if (node instanceof DiskFile) throw failed(at, at === chain.at(-1) ? 'EEXIST' : 'ENOTDIR')
      if (node) await this.#reading(() => undefined)
      else {
        await this.#operation(() => {
          const { directory, name, node } = this.#find(at)
          const made = new DiskDirectory(this.#now())
          if (!node && directory) this.#names.change({ directory, name, node: made })
        })
      }
      const parent = this.#find(dirname(at)).node as DiskDirectory
      if (this.#names.isPending(parent)) await this.#operation(() => this.#names.sync(parent))
    }
  }

  rename(from: string, to: string): Promise<void> {
    return this.#operation(() => {
      const source = this.#find(from)
      const target = this.#find(to)
      if (!source.directory || !source.node) throw failed(from, 'ENOENT')
      if (!target.directory) throw failed(to, 'ENOENT')
      if (source.node === target.node) return
      if (target.node instanceof DiskDirectory) {
        if (source.node instanceof DiskFile) throw failed(to, 'EISDIR')
        if (target.node.live.size > 0) throw failed(to, 'ENOTEMPTY')
      } else if (target.node && source.node instanceof DiskDirectory) throw failed(to, 'ENOTDIR')
      this.#names.change(
        { directory: source.directory, name: source.name, node: undefined },
        { directory: target.directory, name: target.name, node: source.node },
      )
    })
  }

  link(from: string, to: string): Promise<void> {
    return this.#operation(() => {
      const { node } = this.#find(from)
      const target = this.#find(to)
      if (!node) throw failed(from, 'ENOENT')
      if (node instanceof DiskDirectory) throw failed(from, 'EPERM')
      if (!target.directory) throw failed(to, 'ENOENT')
      if (target.node) throw failed(to, 'EEXIST')
      this.#names.change({ directory: target.directory, name: target.name, node })
    })
  }

  remove(path: string): Promise<void> {
    if (!this.#find(path).node) return this.#reading(() => undefined)
    return this.#operation(() => {
      const { directory, name, node } = this.#find(path)
      if (!directory || !node) return
      if (node instanceof DiskDirectory && node.live.size > 0) throw failed(path, 'ENOTEMPTY')
      this.#names.change({ directory, name, node: undefined })
    })
  }

  syncDirectory(path: string): Promise<void> {
    return this.#operation(() => {
      const { node } = this.#find(path)
      if (!node) throw failed(path, 'ENOENT')
      if (node instanceof DiskFile) throw failed(path, 'ENOTDIR')
      this.#names.sync(node)
    })
  }

  touch(path: string): Promise<boolean> {
    return this.#operation(() => {
      const { node } = this.#find(path)
      if (node instanceof DiskFile) node.touch(this.#now())
      return node !== undefined
    })
  }

  freeBytes(): Promise<number> {
    return this.#reading(() => this.#options.freeBytes ?? 2 ** 40)
  }

  #file(path: string, file: DiskFile): OpenFile {
    let isOpen = true
    const assertOpen = (): void => {
      if (!isOpen) throw failed(path, 'EBADF')
    }
    return {
      read: (into, position) =>
        this.#reading(() => {
          assertOpen()
          return file.read(into, position)
        }),
      write: (bytes, position) =>
        this.#operation(() => {
          assertOpen()
          const room = (this.#options.fullAfterBytes ?? Number.POSITIVE_INFINITY) - this.#writtenBytes
          const part = bytes.subarray(0, Math.max(0, Math.min(bytes.length, room)))
          if (part.length > 0) file.write(part, position, this.#now())
          this.#writtenBytes += part.length
          if (part.length < bytes.length) throw failed(path, 'ENOSPC')
        }),
      truncate: (sizeBytes) =>
        this.#operation(() => {
          assertOpen()
          file.resize(sizeBytes, this.#now())
        }),
      sync: () => {
        // Only what was written before the call began is promised.
        const { pendingChanges } = file
        return this.#operation(() => {
          assertOpen()
          file.sync(pendingChanges)
        })
      },
      size: () =>
        this.#reading(() => {
          assertOpen()
          return file.size
        }),
      close: async () => {
        isOpen = false
      },
    }
  }

  async #reading<T>(act: () => T): Promise<T> {
    // Nothing happens before the caller goes on, as with a real disk.
    await undefined
    if (this.#isDead) throw powerFailure()
    return act()
  }

  async #operation<T>(act: () => T): Promise<T> {
    await undefined
    if (this.#isDead) throw powerFailure()
    this.#operations++
    if (this.#operations !== this.#options.crashAt) return act()
    this.#isDead = true
    // The last operation may have come through; nobody was told.
    if (this.#random() < 0.5) act()
    throw powerFailure()
  }

  /** `directory` is undefined where the parent is absent. */
  #find(path: string): { directory?: DiskDirectory; name: string; node?: DiskNode } {
    const whole = resolve('/', path)
    if (whole === '/') return { name: '', node: this.#names.root }
    let directory = this.#names.root
    for (const part of dirname(whole).split('/')) {
      if (part === '') continue
      const next = directory.live.get(part)
      if (!(next instanceof DiskDirectory)) return { name: basename(whole) }
      directory = next
    }
    const name = basename(whole)
    const node = directory.live.get(name)
    return { directory, name, ...(node && { node }) }
  }
}

const failed = (path: string, errno: string): SealiftError =>
  fileSystemFailure(path, Object.assign(new Error(errno), { code: errno }))

const powerFailure = (): SealiftError =>
  baseFailure('FILE_SYSTEM', 'the power is off', { detail: { errno: 'EIO' } })
