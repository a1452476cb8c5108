import { dirname, join } from 'node:path'
import {
  canonicalJson,
  type FileSystem,
  type Json,
  limits,
  parseJson,
  readUpTo,
  replaceFile,
} from '#base/index.ts'
import { type Digest, digestHex, digestOf } from '#oci/index.ts'
import { failure } from '../codes.ts'
import { checkReadable } from './check-readable.ts'

/** Small things kept by their digest: what records of the audit log point to. */
export interface Objects {
  /** Durable when it resolves. What is there already is not written again. */
  keep(bytes: Uint8Array): Promise<Digest>
  /** @throws AUDIT_OBJECT_MISSING where it is absent or not what the digest says */
  read(digest: Digest): Promise<Uint8Array>
}

/** In a folder: `sha256/ab/abcd...`, each file written beside, synced and renamed. */
export class DirectoryObjects implements Objects {
  readonly #directory: string
  readonly #fs: FileSystem
  readonly #maxBytes: number
  /** What is known to be there: most questions are about the same evidence under the same policy. */
  readonly #kept = new Set<Digest>()
  readonly #underWay = new Map<Digest, Promise<void>>()

  constructor(directory: string, fs: FileSystem, maxBytes: number = limits.auditObjectBytes) {
    this.#directory = directory
    this.#fs = fs
    this.#maxBytes = maxBytes
  }

  async keep(bytes: Uint8Array): Promise<Digest> {
    const digest = digestOf(bytes)
    if (this.#kept.has(digest)) return digest
    let writing = this.#underWay.get(digest)
    if (!writing) {
      writing = this.#write(digest, bytes).finally(() => this.#underWay.delete(digest))
      this.#underWay.set(digest, writing)
    }
    await writing
    return digest
  }

  async read(digest: Digest): Promise<Uint8Array> {
    const path = this.#path(digest)
    const stat = await this.#fs.stat(path)
    if (stat?.kind !== 'file') throw missing(digest, 'it is not there')
    if (stat.sizeBytes > this.#maxBytes)
      throw missing(digest, 'it is larger than anything that is kept there')
    const file = await this.#fs.open(path, 'read')
    try {
      const bytes = await readUpTo(file, this.#maxBytes)
      if (digestOf(bytes) !== digest) throw missing(digest, 'its bytes are not what its digest says')
      return bytes
    } finally {
      await file.close()
    }
  }

  async #write(digest: Digest, bytes: Uint8Array): Promise<void> {
    const path = this.#path(digest)
    const stat = await this.#fs.stat(path)
    // A file of another size was damaged since: it is written anew.
    if (stat?.kind === 'file' && stat.sizeBytes === bytes.length) await this.#settle(path)
    else {
      await this.#fs.makeDirectory(dirname(path))
      await replaceFile(this.#fs, path, bytes)
    }
    if (this.#kept.size >= limits.knownDigests) this.#kept.clear()
    this.#kept.add(digest)
  }

  /** A kill may have come between the name and its being durable. */
  async #settle(path: string): Promise<void> {
    const file = await this.#fs.open(path, 'read')
    await file.sync().finally(() => file.close())
    await this.#fs.syncDirectory(dirname(path))
  }

  #path(digest: Digest): string {
    const hex = digestHex(digest)
    return join(this.#directory, digest.slice(0, digest.indexOf(':')), hex.slice(0, 2), hex)
  }
}

const missing = (digest: Digest, why: string) =>
  failure('AUDIT_OBJECT_MISSING', `${digest} cannot be had from the audit folder: ${why}`, {
    detail: { digest },
  })

/** Keeps a value as canonical JSON, so that the same value has the same digest everywhere. @throws RECORD_INVALID */
export async function keepJson(objects: Objects, value: unknown): Promise<Digest> {
  checkReadable(value)
  return objects.keep(canonicalJson(value))
}

/** @throws AUDIT_OBJECT_MISSING, JSON_INVALID, JSON_TOO_LARGE, JSON_TOO_DEEP */
export async function readJson(objects: Objects, digest: Digest): Promise<Json> {
  return parseJson(await objects.read(digest), {
    maxBytes: limits.auditObjectBytes,
    maxDepth: 2 * limits.jsonDepth,
  })
}
