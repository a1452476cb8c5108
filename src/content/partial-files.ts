import { join } from 'node:path'
import { claim, type FileSystem, isAbandoned, isFailure, type OpenFile } from '#base/index.ts'
import { type Digest, digestAlgorithm, digestHex } from '#oci/index.ts'

/** A file of its own for one attempt at a content; `path` is what to rename once it is verified and synced. */
export interface PartialFile extends AsyncDisposable {
  readonly file: OpenFile
  readonly path: string
}

/**
 * Contents on their way in, each attempt in a file of its own: two processes that bring the same content never
 * write to the same file, and what one of them gives its name cannot be changed by the other. What a process
 * left that has died, or has given up, is taken over and gone on with.
 */
export class PartialFiles {
  readonly #fs: FileSystem
  readonly #directory: string

  constructor(fs: FileSystem, directory: string) {
    this.#fs = fs
    this.#directory = directory
  }

  /** Opens this attempt's file, with what an abandoned one had come to. Dispose of it in any case. */
  async begin(digest: Digest): Promise<PartialFile> {
    const stem = `${digestAlgorithm(digest)}-${digestHex(digest)}.`
    const mine = claim()
    const path = join(this.#directory, `${stem}${mine.name}${suffix}`)
    try {
      const file = (await this.#takeOver(stem, path))
        ? await this.#fs.open(path, 'update')
        : await this.#create(path)
      return {
        file,
        path,
        [Symbol.asyncDispose]: async () => {
          mine.release()
          await file.close()
        },
      }
    } catch (error) {
      mine.release()
      throw error
    }
  }

  /** Removes what abandoned attempts at contents that are `isHeld` by now left, and the directory if that is all. */
  async tidy(isHeld: (name: string) => Promise<boolean>): Promise<void> {
    const names = (await this.#fs.list(this.#directory)).map(({ name }) => name)
    for (const name of names) {
      const [stem = '', owner = ''] = parts(name)
      if (owner !== '' && (await this.#isFree(name, owner)) && (await isHeld(stem))) {
        await this.#fs.remove(join(this.#directory, name))
      }
    }
    await this.#fs.remove(this.#directory).catch((error: unknown) => {
      if (!isFailure(error) || error.detail.errno !== 'ENOTEMPTY') throw error
    })
  }

  /** Another writer that is done may remove the directory at any moment, while it is empty. */
  async #create(path: string): Promise<OpenFile> {
    for (let attempts = 1; ; attempts++) {
      await this.#fs.makeDirectory(this.#directory)
      try {
        return await this.#fs.open(path, 'exclusive')
      } catch (error) {
        if (!isFailure(error) || error.detail.errno !== 'ENOENT' || attempts === 100) throw error
      }
    }
  }

  /** Renames the longest abandoned file to `path`; false where there is none. */
  async #takeOver(stem: string, path: string): Promise<boolean> {
    let longest: { name: string; sizeBytes: number } | undefined
    for (const { name, kind } of await this.#fs.list(this.#directory)) {
      const [, owner = ''] = parts(name)
      if (kind !== 'file' || !name.startsWith(stem) || !(await this.#isFree(name, owner))) continue
      const sizeBytes = (await this.#fs.stat(join(this.#directory, name)))?.sizeBytes ?? 0
      if (!longest || sizeBytes > longest.sizeBytes) longest = { name, sizeBytes }
    }
    if (!longest) return false
    try {
      await this.#fs.rename(join(this.#directory, longest.name), path)
      return true
    } catch (error) {
      // Another process was quicker.
      if (isFailure(error) && error.detail.errno === 'ENOENT') return false
      throw error
    }
  }

  async #isFree(name: string, owner: string): Promise<boolean> {
    const stat = await this.#fs.stat(join(this.#directory, name))
    return stat !== undefined && isAbandoned(owner, stat.modifiedMs)
  }
}

const suffix = '.partial'

/** ALGORITHM-HEX, and the claim of the writer. */
function parts(name: string): string[] {
  const dot = name.indexOf('.')
  return name.endsWith(suffix) && dot > 0 ? [name.slice(0, dot), name.slice(dot + 1, -suffix.length)] : []
}
