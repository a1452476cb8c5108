import { join } from 'node:path'
import { baseFailure, type FileSystem, limits, type OpenFile, parseJson, readUpTo } from '#base/index.ts'
import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestHex,
  isDigest,
  isObject,
  parseDescriptor,
} from '#oci/index.ts'
import { failure } from './codes.ts'
import { clampRange } from './readers.ts'
import type { ByteRange, ByteReader } from './types.ts'

/** Where things are in an OCI image layout (image-spec image-layout.md), read and never trusted. */
export class LayoutDirectory {
  readonly path: string
  readonly fs: FileSystem

  constructor(path: string, fs: FileSystem) {
    this.path = path
    this.fs = fs
  }

  get indexPath(): string {
    return join(this.path, 'index.json')
  }

  blobPath(digest: Digest): string {
    return join(this.path, 'blobs', digestAlgorithm(digest), digestHex(digest))
  }

  /** @throws LAYOUT_INVALID where there is no layout */
  async assertLayout(): Promise<void> {
    const bytes = await this.#readSmall(join(this.path, 'oci-layout'))
    const body = bytes && parseJson(bytes, { maxBytes: limits.manifestBytes })
    if (
      !isObject(body) ||
      typeof body.imageLayoutVersion !== 'string' ||
      !body.imageLayoutVersion.startsWith('1.')
    ) {
      throw failure(
        'LAYOUT_INVALID',
        `${this.path} is not an OCI image layout: it has no oci-layout of version 1`,
      )
    }
  }

  /** The descriptors of index.json; none where there is no index.json. @throws LAYOUT_INVALID */
  async roots(): Promise<Descriptor[]> {
    const bytes = await this.#readSmall(this.indexPath)
    if (!bytes) return []
    const body = parseJson(bytes, { maxBytes: limits.layoutIndexBytes })
    if (!isObject(body) || !Array.isArray(body.manifests)) {
      throw failure('LAYOUT_INVALID', `${this.indexPath} has no list of manifests`)
    }
    return body.manifests.map(parseDescriptor)
  }

  /** The size of a blob; undefined where there is no regular file of that name (links are not followed). */
  async size(digest: Digest): Promise<number | undefined> {
    const stat = await this.fs.stat(this.blobPath(digest))
    return stat?.kind === 'file' ? stat.sizeBytes : undefined
  }

  async open(digest: Digest, range?: ByteRange): Promise<ByteReader> {
    const size = await this.size(digest)
    if (size === undefined) throw failure('CONTENT_NOT_FOUND', `${this.path} does not hold ${digest}`)
    return new FileReader(await this.fs.open(this.blobPath(digest), 'read'), clampRange(size, range))
  }

  /** Every file under blobs/ whose name is a digest, links and other kinds left out. */
  async *contents(): AsyncGenerator<{ digest: Digest; size: number }> {
    for (const algorithm of ['sha256', 'sha384', 'sha512']) {
      for (const { name, kind } of await this.fs.list(join(this.path, 'blobs', algorithm))) {
        const digest = `${algorithm}:${name}`
        if (kind !== 'file' || !isDigest(digest)) continue
        const size = await this.size(digest)
        if (size !== undefined) yield { digest, size }
      }
    }
  }

  async #readSmall(path: string): Promise<Uint8Array | undefined> {
    const stat = await this.fs.stat(path)
    if (!stat) return undefined
    if (stat.kind !== 'file') throw failure('LAYOUT_INVALID', `${path} is not a regular file`)
    return readFile(this.fs, path, limits.layoutIndexBytes)
  }
}

/** Reads a part of an open file and closes it. */
export class FileReader implements ByteReader {
  readonly #file: Pick<OpenFile, 'read' | 'close'>
  #at: number
  readonly #end: number
  #closed: Promise<void> | undefined

  constructor(
    file: Pick<OpenFile, 'read' | 'close'>,
    { offset, length }: { offset: number; length: number },
  ) {
    this.#file = file
    this.#at = offset
    this.#end = offset + length
  }

  async read(into: Uint8Array): Promise<number> {
    const wanted = Math.min(into.length, this.#end - this.#at)
    if (wanted <= 0 || this.#closed) return 0
    const count = await this.#file.read(into.subarray(0, wanted), this.#at)
    this.#at += count
    return count
  }

  close(): Promise<void> {
    this.#closed ??= this.#file.close()
    return this.#closed
  }
}

/** A whole small file. @throws LAYOUT_INVALID where it is larger than `maxBytes` */
export async function readFile(fs: FileSystem, path: string, maxBytes: number): Promise<Uint8Array> {
  const file = await fs.open(path, 'read')
  try {
    const size = await file.size()
    if (size > maxBytes) throw failure('LAYOUT_INVALID', `${path} is larger than ${maxBytes} bytes`)
    return await readUpTo(file, size)
  } finally {
    await file.close()
  }
}

/** @throws DISK_FULL where fewer than `sizeBytes` are free on the disk of `path` */
export async function assertFree(fs: FileSystem, path: string, sizeBytes: number): Promise<void> {
  const free = await fs.freeBytes(path)
  if (sizeBytes <= free) return
  throw baseFailure('DISK_FULL', `${path} needs ${sizeBytes} more bytes, but only ${free} are free`, {
    detail: { neededBytes: sizeBytes, freeBytes: free },
  })
}
