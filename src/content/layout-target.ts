import { dirname, join } from 'node:path'
import { canonicalJson, type FileSystem, isFailure, nodeFileSystem, replaceFile } from '#base/index.ts'
import { type Descriptor, isDigest } from '#oci/index.ts'
import { failure } from './codes.ts'
import { withIndexLock } from './index-lock.ts'
import { assertFree, LayoutDirectory } from './layout-directory.ts'
import { parallel } from './parallel.ts'
import { PartialFiles } from './partial-files.ts'
import { mergeRoots, plannedRoots } from './planned-roots.ts'
import { Check, stoppable } from './readers.ts'
import type { ByteRange, ByteReader, CallOptions, OpenAt, Plan, Target, WriteOutcome } from './types.ts'
import { WriteTurns } from './write-turns.ts'

export interface LayoutTargetOptions {
  readonly fs?: FileSystem
  /** HOST/PATH: prefixed to tags, so that the names in index.json are whole. Bare tags where it is not said. */
  readonly repository?: string
}

/**
 * Writes into an OCI image layout, made where it is absent. A blob has its name only once it is verified and on
 * the disk; `index.json` is replaced in one step at `commit`. A blob that was interrupted is taken up again.
 */
export class LayoutTarget implements Target {
  readonly #layout: LayoutDirectory
  readonly #fs: FileSystem
  readonly #repository: string | undefined
  readonly #turns = new WriteTurns()
  readonly #workPath: string
  readonly #partials: PartialFiles
  #plan: Plan | undefined
  #taggings: { manifest: Descriptor; reference: string }[] = []

  constructor(path: string, options: LayoutTargetOptions = {}) {
    this.#fs = options.fs ?? nodeFileSystem
    this.#layout = new LayoutDirectory(path, this.#fs)
    this.#repository = options.repository
    // Outside blobs/, where every file must be a blob: image-layout.md allows further files beside it.
    this.#workPath = join(path, '.sealift')
    this.#partials = new PartialFiles(this.#fs, this.#workPath)
  }

  async prepare(plan: Plan): Promise<void> {
    const missing = await parallel(plan.contents, 16, async (content) =>
      (await this.has(content)) ? 0 : content.size,
    )
    const missingBytes = missing.reduce((sum, sizeBytes) => sum + sizeBytes, 0)
    await assertFree(this.#fs, this.#layout.path, missingBytes)
    await this.#mark()
    this.#plan = plan
  }

  /** Makes the folder an OCI layout where it is none yet. @throws LAYOUT_INVALID where it is one of another version */
  async #mark(): Promise<void> {
    await this.#fs.makeDirectory(join(this.#layout.path, 'blobs', 'sha256'))
    const marker = join(this.#layout.path, 'oci-layout')
    if (await this.#fs.stat(marker)) await this.#layout.assertLayout()
    else await replaceFile(this.#fs, marker, canonicalJson({ imageLayoutVersion: '1.0.0' }))
  }

  async has({ digest, size }: Descriptor): Promise<boolean> {
    return (await this.#layout.size(digest)) === size
  }

  async write(content: Descriptor, from: OpenAt, options?: CallOptions): Promise<WriteOutcome> {
    return this.#turns.take(
      content.digest,
      () => this.has(content),
      () => this.#receive(content, from, options),
    )
  }

  async tag(manifest: Descriptor, reference: string): Promise<void> {
    if (!(await this.has(manifest))) {
      throw failure('CONTENT_NOT_FOUND', `${manifest.digest} is not here, so nothing can name it`)
    }
    this.#taggings.push({ manifest, reference })
    if (!this.#plan) await this.commit()
  }

  async resolve(reference: string): Promise<Descriptor> {
    const roots = await this.#layout.roots()
    const planned = this.#taggings.find((tagging) => tagging.reference === reference)?.manifest
    const named = planned ?? mergeRoots([], roots).find((root) => names(root, reference, this.#repository))
    if (!named) throw failure('CONTENT_NOT_FOUND', `nothing is named ${reference} in ${this.#layout.path}`)
    return named
  }

  open(content: Descriptor, range?: ByteRange): Promise<ByteReader> {
    return this.#layout.open(content.digest, range)
  }

  /** Makes the blobs' names durable, then lets index.json name the roots. */
  async commit(options: CallOptions = {}): Promise<void> {
    await this.#mark()
    // Of all algorithms: names that a killed run gave may not be on the disk either.
    const blobs = join(this.#layout.path, 'blobs')
    for (const { name, kind } of await this.#fs.list(blobs)) {
      if (kind === 'directory') await this.#fs.syncDirectory(join(blobs, name))
    }
    const plan = { contents: [], roots: [], ...this.#plan, taggings: this.#taggings }
    const roots = [...plan.roots]
    for (const { manifest } of this.#taggings) {
      if (!roots.some(({ digest }) => digest === manifest.digest)) roots.push(manifest)
    }
    const fresh = plannedRoots({ ...plan, roots }, this.#repository)
    const replace = async () => {
      const manifests = mergeRoots(await this.#layout.roots(), fresh)
      const mediaType = 'application/vnd.oci.image.index.v1+json'
      await replaceFile(
        this.#fs,
        this.#layout.indexPath,
        canonicalJson({ schemaVersion: 2, mediaType, manifests }),
      )
    }
    await withIndexLock(this.#fs, this.#workPath, replace, options.signal)
    await this.#partials.tidy(async (name) => {
      const digest = name.replace('-', ':')
      return isDigest(digest) && (await this.#layout.size(digest)) !== undefined
    })
    this.#plan = undefined
    this.#taggings = []
  }

  async #receive(content: Descriptor, from: OpenAt, options: CallOptions = {}): Promise<void> {
    const { digest } = content
    const place = this.#layout.blobPath(digest)
    await this.#fs.makeDirectory(dirname(place))
    await using partial = await this.#partials.begin(digest)
    await receiveFile(partial.file, content, from, options)
    await partial.file.sync()
    await this.#fs.rename(partial.path, place)
  }
}

interface Receiving {
  read(into: Uint8Array, position: number): Promise<number>
  write(bytes: Uint8Array, position: number): Promise<void>
  truncate(sizeBytes: number): Promise<void>
  size(): Promise<number>
}

const bufferBytes = 1024 * 1024

/**
 * Receives one content into a file, after what an earlier attempt left in it: that is hashed first. Where the
 * bytes turn out to be wrong and a part of them was from earlier, it may be that part (a power cut tears files):
 * once more, from the start. What a cut link leaves stays in the file; wrong bytes do not.
 *
 * @throws DIGEST_MISMATCH, SIZE_MISMATCH
 */
export async function receiveFile(
  file: Receiving,
  content: Descriptor,
  from: OpenAt,
  options: CallOptions = {},
): Promise<void> {
  options.signal?.throwIfAborted()
  const heldBytes = await file.size()
  try {
    await receiveRest(file, content, from, options)
  } catch (error) {
    if (!isFailure(error, 'DIGEST_MISMATCH') && !isFailure(error, 'SIZE_MISMATCH')) throw error
    await file.truncate(0)
    if (heldBytes === 0) throw error
    await receiveFile(file, content, from, options)
  }
}

/** While one buffer is written the other one fills. */
async function receiveRest(
  file: Receiving,
  content: Descriptor,
  from: OpenAt,
  { signal }: CallOptions,
): Promise<void> {
  const check = new Check(content)
  const small = Math.min(bufferBytes, content.size + 1)
  let filling = Buffer.allocUnsafe(small)
  let writing = Buffer.allocUnsafe(small)
  let at = Math.min(await file.size(), content.size)
  for (let hashed = 0; hashed < at; ) {
    const count = await file.read(filling.subarray(0, Math.min(filling.length, at - hashed)), hashed)
    if (count === 0) at = hashed
    else check.update(filling.subarray(0, count))
    hashed += count
  }
  const reader = stoppable(await from(at), signal)
  let pending: Promise<void> = Promise.resolve()
  try {
    for (let ended = false; !ended; ) {
      let filled = 0
      while (filled < filling.length) {
        const count = await reader.read(filling.subarray(filled))
        if (count === 0) {
          ended = true
          break
        }
        check.update(filling.subarray(filled, filled + count))
        filled += count
      }
      await pending
      if (filled > 0) pending = file.write(filling.subarray(0, filled), at)
      at += filled
      ;[filling, writing] = [writing, filling]
    }
    await pending
    await file.truncate(at)
    check.finish()
  } finally {
    await pending.catch(() => undefined)
    await reader.close()
  }
}

function names(root: Descriptor, reference: string, repository: string | undefined): boolean {
  if (isDigest(reference)) return root.digest === reference
  const name = root.annotations?.['org.opencontainers.image.ref.name']
  return name === reference || (repository !== undefined && name === `${repository}:${reference}`)
}
