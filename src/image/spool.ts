import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FileSystem, nodeFileSystem, type OpenFile } from '#base/index.ts'
import type { ByteReader, CallOptions, Store, Target, Upload } from '#content/index.ts'
import type { Descriptor, Digest } from '#oci/index.ts'

/**
 * Where one new layer waits until its digest is known. `Target.write` wants digest and size before the first
 * byte, and a layer that is being compressed has neither. A store takes uploads of unknown digest, so there the
 * bytes are written once, in their place. Any other target (a registry far away, an archive whose places are
 * assigned beforehand) gets them from a temporary file, which is removed whatever happens.
 */
export interface Spool extends AsyncDisposable {
  append(bytes: Uint8Array): Promise<void>
  /** All bytes were appended, and have this digest. */
  finish(digest: Digest, options?: CallOptions): Promise<void>
  /** Brings the content into the target, where it is not there already. */
  deliver(content: Descriptor, options?: CallOptions): Promise<void>
}

export interface SpoolOptions {
  /** Where temporary files go; the system's directory for them where it is not said. */
  readonly temporaryDirectory?: string | undefined
  readonly fileSystem?: FileSystem | undefined
}

export async function openSpool(target: Target, options: SpoolOptions = {}): Promise<Spool> {
  if (takesUploads(target)) return new UploadSpool(await target.beginUpload())
  const { fileSystem = nodeFileSystem, temporaryDirectory = tmpdir() } = options
  const path = join(temporaryDirectory, `sealift-layer-${randomUUID()}`)
  return new FileSpool(target, fileSystem, path, await fileSystem.open(path, 'exclusive'))
}

function takesUploads(target: Target): target is Target & Pick<Store, 'beginUpload'> {
  return 'beginUpload' in target && typeof target.beginUpload === 'function'
}

class UploadSpool implements Spool {
  readonly #upload: Upload
  #finished = false
  constructor(upload: Upload) {
    this.#upload = upload
  }
  append(bytes: Uint8Array): Promise<void> {
    return this.#upload.append(bytes)
  }
  async finish(digest: Digest, options?: CallOptions): Promise<void> {
    await this.#upload.finish(digest, options)
    this.#finished = true
  }
  async deliver(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#finished) await this.#upload.cancel()
  }
}

class FileSpool implements Spool {
  readonly #target: Target
  readonly #fileSystem: FileSystem
  readonly #path: string
  readonly #file: OpenFile
  #sizeBytes = 0
  constructor(target: Target, fileSystem: FileSystem, path: string, file: OpenFile) {
    this.#target = target
    this.#fileSystem = fileSystem
    this.#path = path
    this.#file = file
  }
  async append(bytes: Uint8Array): Promise<void> {
    await this.#file.write(bytes, this.#sizeBytes)
    this.#sizeBytes += bytes.length
  }
  async finish(): Promise<void> {}
  async deliver(content: Descriptor, options?: CallOptions): Promise<void> {
    await this.#target.write(content, async (offset) => this.#reader(offset), options)
  }
  #reader(offset: number): ByteReader {
    let at = offset
    return {
      read: async (into) => {
        const count = await this.#file.read(into, at)
        at += count
        return count
      },
      close: async () => {},
    }
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close()
    await this.#fileSystem.remove(this.#path)
  }
}
