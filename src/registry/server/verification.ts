import { isFailure, Lru } from '#base/index.ts'
import { Check, type Repository } from '#content/index.ts'
import type { Descriptor, Digest } from '#oci/index.ts'
import type { BufferPool } from './buffer-pool.ts'
import { Refusal } from './refusal.ts'

/**
 * What a Repository may implement beyond its interface: a text that is another one when the stored bytes of a
 * content may have changed (a file's size, times and number). Without it, what was verified once counts as good
 * for as long as the process lives.
 */
export interface Stamped {
  stamp(digest: Digest): Promise<string | undefined>
}

/** Sees the bytes of one reply pass, and lets its last piece go only when the whole is known to be good. */
export interface Guard {
  update(bytes: Uint8Array): void
  /** @throws DIGEST_MISMATCH, SIZE_MISMATCH, or the refusal of damaged content */
  finish(): Promise<void>
  /** Must be called at the end, whatever happened. */
  release(): void
}

interface Known {
  readonly good: boolean
  readonly stamp: string | undefined
}

export type OnDamaged = (damaged: { repository: string; digest: Digest; message: string }) => void

// What reading damaged bytes throws: the digest's verdict, or that of the container's own framing.
const damage: ReadonlySet<string> = new Set([
  'DIGEST_MISMATCH',
  'SIZE_MISMATCH',
  'CONTENT_DAMAGED',
  'ARCHIVE_INVALID',
])

/**
 * Which stored contents are known to have their digest. A content is hashed the first time it is served, while it
 * streams; whoever asks for it meanwhile gets it unhashed but for the last piece, which waits for the verdict.
 */
export class Verification {
  readonly #known: Lru<Digest, Known>
  readonly #leading = new Set<Digest>()
  readonly #whole = new Map<Digest, Promise<void>>()
  readonly #buffers: BufferPool
  readonly #onDamaged: OnDamaged

  constructor(options: { remembered: number; buffers: BufferPool; onDamaged: OnDamaged }) {
    this.#known = new Lru(options.remembered)
    this.#buffers = options.buffers
    this.#onDamaged = options.onDamaged
  }

  /** `undefined`: not known. */
  isGood(digest: Digest, stamp: string | undefined): boolean | undefined {
    const known = this.#known.get(digest)
    return known?.stamp === stamp ? known?.good : undefined
  }

  /** After a push or delete: what is stored now is something else. */
  forget(digest: Digest): void {
    this.#known.delete(digest)
  }

  /** For a reply with the whole of a content that is not known yet. */
  guard(repository: Repository, name: string, content: Descriptor, stamp: string | undefined): Guard {
    const { digest } = content
    if (this.#leading.has(digest)) {
      const finish = () => this.whole(repository, name, content, stamp)
      return { update: () => undefined, finish, release: () => undefined }
    }
    this.#leading.add(digest)
    const check = new Check(content)
    return {
      update: (bytes) => check.update(bytes),
      finish: async () => {
        check.finish()
        this.#known.set(digest, { good: true, stamp })
      },
      release: () => this.#leading.delete(digest),
    }
  }

  /** Reads and verifies the whole now, once for all who ask. @throws Refusal where it is damaged */
  async whole(
    repository: Repository,
    name: string,
    content: Descriptor,
    stamp: string | undefined,
  ): Promise<void> {
    const good = this.isGood(content.digest, stamp)
    if (good === true) return
    if (good === false) throw damagedRefusal(content.digest)
    let reading = this.#whole.get(content.digest)
    if (!reading) {
      reading = this.#read(repository, name, content, stamp).finally(() => this.#whole.delete(content.digest))
      this.#whole.set(content.digest, reading)
    }
    await reading
  }

  /** Marks the content where `error` means that its stored bytes are not good, and says whether it does. */
  judge(error: unknown, name: string, digest: Digest, stamp: string | undefined): boolean {
    if (!isFailure(error) || !damage.has(error.code)) return false
    if (this.isGood(digest, stamp) !== false) {
      this.#known.set(digest, { good: false, stamp })
      this.#onDamaged({ repository: name, digest, message: error.message })
    }
    return true
  }

  async #read(
    repository: Repository,
    name: string,
    content: Descriptor,
    stamp: string | undefined,
  ): Promise<void> {
    const buffer = this.#buffers.take(Math.max(1, content.size))
    try {
      const check = new Check(content)
      const reader = await repository.open(content)
      try {
        for (let count = await reader.read(buffer); count > 0; count = await reader.read(buffer)) {
          check.update(buffer.subarray(0, count))
        }
      } finally {
        await reader.close()
      }
      check.finish()
      this.#known.set(content.digest, { good: true, stamp })
    } catch (error) {
      throw this.judge(error, name, content.digest, stamp) ? damagedRefusal(content.digest) : error
    } finally {
      this.#buffers.give(buffer)
    }
  }
}

export function damagedRefusal(digest: Digest): Refusal {
  return new Refusal(500, 'UNKNOWN', `the stored bytes of ${digest} are damaged and are not served`, {
    detail: { code: 'CONTENT_DAMAGED', digest },
  })
}
