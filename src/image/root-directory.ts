import * as fs from 'node:fs'
import { fileSystemFailure, type Limits } from '#base/index.ts'
import { failure } from './codes.ts'

/** What a directory is to look like once everything is in it. */
export interface DirectoryLook {
  readonly mode: number
  readonly mtimeSeconds: number
}

/**
 * A directory on this machine that becomes the root of another system. Paths in here are relative to it and
 * "real": without links on the way. Every path from outside is made real by `resolve`, which looks at each
 * component inside the root, so a link can never lead a write out of it. Nobody else may write below the root
 * meanwhile: it was just made, and only its owner may enter.
 *
 * The calls are synchronous: each touches one entry of a local disk, and there are hundreds of thousands. This is
 * no durable state, and not written through the seam of `base`: after a power cut it is unpacked anew.
 */
export class RootDirectory {
  readonly path: string
  readonly #limits: Pick<Limits, 'linkHops' | 'nameBytes'>
  /** Member paths of directories to real ones; emptied whenever a link comes or anything goes. */
  readonly #resolved = new Map<string, string>()
  /** Looks are given last: writing into a directory changes its time, and 0555 would keep us out. */
  readonly #looks = new Map<string, DirectoryLook>()

  constructor(path: string, limits: Pick<Limits, 'linkHops' | 'nameBytes'>) {
    this.path = path
    this.#limits = limits
  }

  /** Where a real path lies on this machine. */
  at(real: string): string {
    return real === '' ? this.path : `${this.path}/${real}`
  }

  stat(real: string): fs.Stats | undefined {
    return this.guard(real, (path) => fs.lstatSync(path, { throwIfNoEntry: false }))
  }

  /**
   * The real path of a directory in here, following links as the system inside would see them: ".." ends at the
   * root, absolute targets begin there. Directories that are missing are made.
   *
   * @param names without "", "." and ".."
   * @param onMade told the real path of each directory that was made
   * @throws LAYER_INVALID where a file is in the way, LAYER_HOSTILE where links lead in circles
   */
  resolve(names: readonly string[], onMade: (real: string) => void): string {
    const key = names.join('/')
    const known = this.#resolved.get(key)
    if (known !== undefined) return known
    const pending = names.toReversed()
    let real: string[] = []
    let hops = 0
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name === '' || name === '.') continue
      if (name === '..') {
        real.pop()
        continue
      }
      const next = [...real, name].join('/')
      const stats = this.stat(next)
      if (stats?.isSymbolicLink()) {
        if (++hops > this.#limits.linkHops)
          throw failure('LAYER_HOSTILE', `the links on the way to ${key} do not end`)
        const target = this.guard(next, (path) => fs.readlinkSync(path))
        if (target.startsWith('/')) real = []
        pending.push(...target.split('/').toReversed())
        continue
      }
      if (stats && !stats.isDirectory())
        throw failure('LAYER_INVALID', `${key} leads through ${next}, which is a file`)
      if (!stats) {
        this.makeDirectory(next)
        this.setLook(next, { mode: 0o755, mtimeSeconds: 0 })
        onMade(next)
      }
      real.push(name)
    }
    const found = real.join('/')
    this.#resolved.set(key, found)
    return found
  }

  makeDirectory(real: string): void {
    this.guard(real, (path) => fs.mkdirSync(path, 0o700))
  }

  makeLink(real: string, target: string): void {
    this.guard(real, (path) => fs.symlinkSync(target, path))
    this.#resolved.clear()
  }

  setLook(real: string, look: DirectoryLook): void {
    this.#looks.set(real, look)
  }

  /** Removes what is there, with all below it; links are removed, never followed. */
  remove(real: string): void {
    const stats = this.stat(real)
    if (!stats) return
    this.#resolved.clear()
    if (!stats.isDirectory()) {
      this.guard(real, (path) => fs.unlinkSync(path))
      return
    }
    for (const name of this.names(real)) this.remove(real === '' ? name : `${real}/${name}`)
    this.#looks.delete(real)
    this.guard(real, (path) => fs.rmdirSync(path))
  }

  names(real: string): readonly string[] {
    return this.guard(real, (path) => fs.readdirSync(path))
  }

  /** Gives all directories their looks, the deepest first. */
  finish(): void {
    const deepestFirst = [...this.#looks].sort(([a], [b]) => b.length - a.length)
    for (const [real, { mode, mtimeSeconds }] of deepestFirst) {
      this.guard(real, (path) => {
        fs.chmodSync(path, mode)
        fs.utimesSync(path, mtimeSeconds, mtimeSeconds)
      })
    }
  }

  guard<T>(real: string, act: (path: string) => T): T {
    const path = this.at(real)
    try {
      return act(path)
    } catch (error) {
      throw fileSystemFailure(path, error)
    }
  }
}

/** Removes a tree that an earlier run may have left with any modes. Links are not followed. */
export function removeTree(path: string): void {
  const stats = fs.lstatSync(path, { throwIfNoEntry: false })
  if (!stats) return
  try {
    if (!stats.isDirectory()) {
      fs.unlinkSync(path)
      return
    }
    fs.chmodSync(path, 0o700)
    for (const name of fs.readdirSync(path)) removeTree(`${path}/${name}`)
    fs.rmdirSync(path)
  } catch (error) {
    throw fileSystemFailure(path, error)
  }
}
