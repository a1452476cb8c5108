import { type FileSystem, isFailure, readUpTo } from '#base/index.ts'
import { type Digest, digestOf } from '#oci/index.ts'

export interface WatchedFilesOptions<T> {
  readonly fs: FileSystem
  readonly paths: readonly string[]
  readonly maxBytes: number
  readonly parse: (contents: readonly Buffer[]) => T
  /** Told of every later change: the new value, or why the old one stays. */
  readonly onChange: (change: { value: T } | { error: unknown }) => void
}

/**
 * Files read whole and looked at again and again: they are small, and reading them is the only way that sees a
 * change behind symbolic links (how Kubernetes mounts secrets). What does not parse leaves the old value in use.
 */
export class WatchedFiles<T> implements Disposable {
  readonly #options: WatchedFilesOptions<T>
  #seen: string
  #value: T
  #timer: NodeJS.Timeout | undefined
  #failed = ''

  private constructor(options: WatchedFilesOptions<T>, contents: readonly Buffer[]) {
    this.#options = options
    this.#value = options.parse(contents)
    this.#seen = digests(contents)
  }

  /** @throws FILE_SYSTEM, and what `parse` throws */
  static async open<T>(options: WatchedFilesOptions<T>): Promise<WatchedFiles<T>> {
    return new WatchedFiles(options, await readAll(options))
  }

  get value(): T {
    return this.#value
  }

  /** Looks at the files every `intervalMs`, without keeping the process alive. */
  watch(intervalMs: number): void {
    this.#timer = setInterval(() => void this.reload(), intervalMs).unref()
  }

  /** Looks at the files now. Never rejects. */
  async reload(): Promise<void> {
    const { parse, onChange } = this.#options
    let seen = ''
    try {
      const contents = await readAll(this.#options)
      seen = digests(contents)
      if (seen === this.#seen) return
      this.#value = parse(contents)
      this.#seen = seen
      onChange({ value: this.#value })
    } catch (error) {
      // Said once for each state of the files, not with every look.
      const failed = `failed ${seen}${isFailure(error) ? error.code : ''}`
      if (this.#failed !== failed) onChange({ error })
      this.#failed = failed
      return
    }
    this.#failed = ''
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}

const digests = (contents: readonly Buffer[]): string =>
  contents.map((bytes): Digest => digestOf(bytes)).join()

async function readAll<T>({ fs, paths, maxBytes }: WatchedFilesOptions<T>): Promise<Buffer[]> {
  const contents: Buffer[] = []
  for (const path of paths) contents.push(await readSmall(fs, path, maxBytes))
  return contents
}

async function readSmall(fs: FileSystem, path: string, maxBytes: number): Promise<Buffer> {
  const file = await fs.open(path, 'read')
  try {
    return Buffer.from(await readUpTo(file, maxBytes))
  } finally {
    await file.close()
  }
}
