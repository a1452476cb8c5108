import type { Principal } from './access.ts'

/** Somebody read content, changed it, or was refused. */
export interface AccessRecord {
  readonly principal: Principal
  readonly verb: 'list' | 'pull' | 'push' | 'delete' | 'catalog'
  /** `*` for a mount from wherever the blob is; absent for the catalog. */
  readonly repository?: string
  /** The tag or digest, as the client named it. */
  readonly reference?: string
  /** What it was, where that is known: for every reading. */
  readonly digest?: string
  readonly remoteAddress?: string
  readonly allowed: boolean
  readonly reason?: string
}

/** Keeps a record; resolved when it is safe. */
export type OnAccess = (record: AccessRecord) => Promise<void>

/** Hands records on. Nothing is sent before the record of it is safe, unless everybody may read it. */
export class AccessRecords {
  readonly #keep: OnAccess | undefined
  readonly #onFailure: (error: unknown) => void
  readonly #mostWaiting: number
  readonly #waiting = new Set<Promise<void>>()

  constructor(keep: OnAccess | undefined, onFailure: (error: unknown) => void, mostWaiting: number) {
    this.#keep = keep
    this.#onFailure = onFailure
    this.#mostWaiting = mostWaiting
  }

  get areKept(): boolean {
    return this.#keep !== undefined
  }

  /** @throws what keeping it throws, where it is waited for: then what it records must not happen */
  async add(record: AccessRecord, isPublic: boolean): Promise<void> {
    if (!this.#keep) return
    // When the keeper falls behind, the readers wait for it, and no record is let go of.
    if (!isPublic || this.#waiting.size >= this.#mostWaiting) return await this.#keep(record)
    const kept: Promise<void> = this.#keep(record)
      .catch(this.#onFailure)
      .finally(() => this.#waiting.delete(kept))
    this.#waiting.add(kept)
  }

  /** Resolves when every record was handed on. */
  async close(): Promise<void> {
    await Promise.all(this.#waiting)
  }
}
