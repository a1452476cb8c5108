import type { OnProgress } from '#base/index.ts'
import type { Descriptor, Digest, Platform } from '#oci/index.ts'
import type { BytesVerdict } from './verify.ts'

/** Every call that waits can be told to stop; it then rejects with the signal's reason. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

/**
 * From `offset` on, `length` bytes or to the end. Both in bytes of the content, never of its container. An offset
 * at or beyond the end is an empty reader; a length beyond it is clamped.
 */
export interface ByteRange {
  readonly offset: number
  readonly length?: number
}

/**
 * A pull of bytes into a buffer that the caller owns and may reuse. One `read` at a time, into at least one byte;
 * neither a `read` nor `close` settles while the buffer may still be written to. The signal that `open` was given
 * governs the reader's whole life.
 */
export interface ByteReader {
  /** Puts 1 to `into.length` bytes at the start of `into` and says how many; 0 means the end, and only that. */
  read(into: Uint8Array): Promise<number>
  /** Frees what is held; may be called at any time, more than once. A `read` under way rejects. */
  close(): Promise<void>
}

/**
 * The bytes of one content from any offset, as often as asked: whoever writes chooses where to begin, so a write
 * that was interrupted, here or at the far end, takes up where it was. The bytes are not verified. Whoever calls
 * it closes each reader before it asks for the next one.
 */
export type OpenAt = (offset: number) => Promise<ByteReader>

/** Where content comes from: one repository, layout or archive. */
export interface Source {
  /**
   * The root that a tag or digest names in here.
   * @throws CONTENT_NOT_FOUND
   */
  resolve(reference: string, options?: CallOptions): Promise<Descriptor>
  /**
   * The bytes as they are, NOT verified: use `readVerified` or `verifying` unless the reader's end checks them.
   * `content.mediaType` tells a registry which of its two doors to knock at.
   * @throws CONTENT_NOT_FOUND
   */
  open(content: Descriptor, range?: ByteRange, options?: CallOptions): Promise<ByteReader>
}

/** What may point back at content: sources that can tell implement it. */
export interface Referrers {
  /** Manifests whose `subject` is this digest. Whether or not the subject itself is here. */
  referrers(subject: Digest, artifactType?: string, options?: CallOptions): AsyncIterable<Descriptor>
}

/** How a write ended: `copied` moved bytes, `mounted` linked them from a neighbour, `present` had nothing to do. */
export type WriteOutcome = 'copied' | 'mounted' | 'present'

/** A tag that is to name a manifest. */
export interface Tagging {
  readonly manifest: Descriptor
  readonly reference: string
}

/** All that a copy will write, told before the first byte. */
export interface Plan {
  /** Each unique content once, in the order of the walk: a manifest before its children, roots in request order. */
  readonly contents: readonly Descriptor[]
  readonly taggings: readonly Tagging[]
  /** Manifests that nothing inside points down to: the roots, their referrers and legacy signatures. */
  readonly roots: readonly Descriptor[]
  /** Contents that manifests in the plan name and that do not travel. */
  readonly absent?: readonly Descriptor[]
  /** Set where only some children of the roots' indexes travel (sparse indexes). */
  readonly platforms?: readonly Platform[]
}

/**
 * Where content goes. `copy` calls `prepare` once, then `has`, `write` and `tag`, several at once, and `commit` at
 * the end; two writes of one digest may overlap, and one of them may answer `present`. After a failure there is no
 * `commit`, and what was written waits for the next copy. What `has`, `write` or a mount has answered for is kept
 * from garbage collection, of other processes too, for its grace time.
 */
export interface Target extends Source {
  has(content: Descriptor, options?: CallOptions): Promise<boolean>
  /**
   * Takes in one content. It becomes visible only once its size and digest are verified (by this side or, for a
   * remote target, by the server, whose refusal rejects). Children are written before the manifests that name them.
   * The target calls `from` with the offset it still needs, again after a fault, or not at all.
   * @throws DIGEST_MISMATCH, SIZE_MISMATCH, DISK_FULL, and whatever `from` throws
   */
  write(content: Descriptor, from: OpenAt, options?: CallOptions): Promise<WriteOutcome>
  /** Lets `reference` name the manifest, which is here already. Replaces what it named. */
  tag(manifest: Descriptor, reference: string, options?: CallOptions): Promise<void>
  /**
   * Told everything that will come, before the first write: the place to check free space, to lay out a file, to
   * probe a registry. Optional.
   * @throws DISK_FULL
   */
  prepare?(plan: Plan, options?: CallOptions): Promise<void>
  /** After the last write and tag: what makes the whole visible, durable. Optional. */
  commit?(options?: CallOptions): Promise<void>
}

/** One repository to read from: what a registry server needs of it. */
export interface Repository extends Source, Referrers {
  /** The descriptor of any content in here: manifests with their media type, blobs as application/octet-stream. */
  find(digest: Digest, options?: CallOptions): Promise<Descriptor | undefined>
  /** Tags in byte order, after `after` (exclusive), at most `limit`. */
  tags(page?: { readonly after?: string; readonly limit?: number }): Promise<readonly string[]>
}

/** A push in progress whose digest is known only at its end. Survives the process: `Store.upload` takes it up. */
export interface Upload extends AsyncDisposable {
  readonly id: string
  /** Bytes received so far. */
  readonly offset: number
  /** Takes `bytes` at `offset`; the buffer may be reused once it resolves. @throws DISK_FULL */
  append(bytes: Uint8Array): Promise<void>
  /** Verifies and makes the content visible. After a mismatch the upload is gone. @throws DIGEST_MISMATCH */
  finish(digest: Digest, options?: CallOptions): Promise<Descriptor>
  cancel(): Promise<void>
  /** Lets go without cancelling, what was received stays. */
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * One repository to read from and write to: what a registry server stands on.
 * A written manifest that names a subject is from then on among that subject's referrers.
 */
export interface Store extends Repository, Target {
  beginUpload(): Promise<Upload>
  /** Takes up an upload begun before, also by another process. */
  upload(id: string): Promise<Upload | undefined>
  /** Makes content of a neighbour visible here without moving a byte; `from` undefined means any. False where it is not there. */
  mount(digest: Digest, from: string | undefined): Promise<boolean>
  /** False where it was not there. */
  untag(tag: string): Promise<boolean>
  /** Takes a manifest (with its tags) or blob out of this repository; false where it was not there. */
  delete(digest: Digest): Promise<boolean>
}

/** Many repositories by name: a data directory, an archive, a layout. */
export interface Repositories {
  /** `undefined` where there is none of this name. The result may be a `Store` (see `isStore`). */
  repository(name: string, options?: CallOptions): Promise<Repository | undefined>
  /** Opens or makes one to write to. Absent where the whole is read only. */
  create?(name: string): Promise<Store>
  names(page?: { readonly after?: string; readonly limit?: number }): Promise<readonly string[]>
}

/** A named or unnamed entry point of a layout or archive. */
export interface Root {
  readonly descriptor: Descriptor
  /** The whole name, HOST/REPOSITORY:TAG, or whatever the layout calls it. */
  readonly reference?: string
}

/** A container of several roots: OCI layout, oci-archive, docker-archive, Sealift's archive. */
export interface Container extends Repositories {
  roots(): Promise<readonly Root[]>
  /** The whole as one Source: `resolve` takes a root's reference or any digest. */
  readonly source: Source & Referrers & Pick<Repository, 'find'>
  /** Everything that is stored, for `verify` and `ls`. */
  contents(): AsyncIterable<{ readonly digest: Digest; readonly size: number }>
  /** Contents that are left out on purpose, where the container marks them one by one. */
  readonly absent?: readonly Digest[]
  /** What was a root once and is kept all the same, where the container forgets nothing. */
  earlierRoots?(): Promise<readonly Descriptor[]>
  /** Reads every stored byte and judges it, where the container knows more than digests (its own framing). */
  verifyBytes?(options?: CallOptions): AsyncIterable<BytesVerdict>
  close(): Promise<void>
}

export interface CopyOptions extends CallOptions {
  /** Contents in flight at once; 8 where it is not said. */
  readonly concurrency?: number
  /** Only children of these platforms travel; no digest changes. */
  readonly platforms?: readonly Platform[]
  /** Whether referrers and legacy signature tags travel along; they do where it is not said. */
  readonly referrers?: boolean
  readonly onProgress?: OnProgress
}

/** One root to bring from a source to a target, under these tags. */
export interface Passage {
  readonly root: Descriptor
  readonly source: Source | (Source & Referrers)
  readonly target: Target
  readonly tags?: readonly string[]
}

/** What a copy did. Sizes in bytes; each unique content counts once per target. */
export interface CopyResult {
  readonly copied: Tally
  readonly mounted: Tally
  readonly present: Tally
  /** Children that were left out: not of a wanted platform, or absent in a sparse source. */
  readonly absent: readonly Descriptor[]
  /** Referrers and legacy signatures that travelled. */
  readonly companions: number
}

export interface Tally {
  readonly items: number
  readonly sizeBytes: number
}
