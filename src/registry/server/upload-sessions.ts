import type { Store, Upload } from '#content/index.ts'
import { Refusal } from './refusal.ts'

/** Whoever uses an upload can be made to let go: the same client has come back over a new connection. */
interface Use {
  readonly breakOff: () => void
  readonly done: Promise<void>
}

/** An upload between its requests. */
export class UploadSession {
  readonly repository: string
  readonly upload: Upload
  usedMs = 0
  #use: Use | undefined
  #finishing = false
  #ended = false

  constructor(repository: string, upload: Upload) {
    this.repository = repository
    this.upload = upload
  }

  get busy(): boolean {
    return this.#use !== undefined
  }

  /**
   * One request at a time. A later one takes over: its client resumes after a connection that we do not know to
   * be broken yet. Only what is finishing already is waited for.
   */
  async use<T>(breakOff: () => void, act: (upload: Upload) => Promise<T>): Promise<T> {
    while (this.#use) {
      if (!this.#finishing) this.#use.breakOff()
      await this.#use.done
    }
    if (this.#ended) throw unknownUpload()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#use = { breakOff, done: promise }
    try {
      return await act(this.upload)
    } finally {
      this.#use = undefined
      resolve()
    }
  }

  /** From here on nobody takes over. */
  finishing(): void {
    this.#finishing = true
  }

  /** It could not be finished now, but perhaps later. */
  notFinished(): void {
    this.#finishing = false
  }

  end(): void {
    this.#ended = true
  }
}

const unknownUpload = () =>
  new Refusal(
    404,
    'BLOB_UPLOAD_UNKNOWN',
    'there is no such upload: it was finished, cancelled or has expired',
  )

// The store makes the ids; this is only what may reach it.
const idGrammar = /^[A-Za-z0-9_-]{1,128}$/

/** The uploads that are open in memory. What is let go of stays in the store, and is taken up when asked for. */
export class UploadSessions {
  readonly #sessions = new Map<string, UploadSession>()
  readonly #taking = new Map<string, Promise<UploadSession>>()
  readonly #maxOpen: number
  readonly #idleMs: number
  readonly #now: () => number
  readonly #timer: NodeJS.Timeout

  constructor(options: { openUploads: number; uploadIdleMs: number; now: () => number }) {
    this.#maxOpen = options.openUploads
    this.#idleMs = options.uploadIdleMs
    this.#now = options.now
    this.#timer = setInterval(() => void this.#sweep(), Math.max(1000, this.#idleMs / 4)).unref()
  }

  get open(): number {
    return this.#sessions.size
  }

  async begin(repository: string, store: Store): Promise<UploadSession> {
    return this.#keep(new UploadSession(repository, await store.beginUpload()))
  }

  /** @throws Refusal 404 where there is no such upload in this repository */
  async take(repository: string, store: Store, id: string): Promise<UploadSession> {
    if (!idGrammar.test(id)) throw unknownUpload()
    let session = this.#sessions.get(id)
    if (!session) {
      // Two requests at once must not open the same upload twice.
      let taking = this.#taking.get(id)
      if (!taking) {
        taking = store
          .upload(id)
          .then((upload) => {
            if (!upload) throw unknownUpload()
            return this.#keep(new UploadSession(repository, upload))
          })
          .finally(() => this.#taking.delete(id))
        this.#taking.set(id, taking)
      }
      session = await taking
    }
    if (session.repository !== repository) throw unknownUpload()
    session.usedMs = this.#now()
    return session
  }

  /** The upload is finished or cancelled. */
  forget(session: UploadSession): void {
    session.end()
    this.#sessions.delete(session.upload.id)
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    for (const session of [...this.#sessions.values()]) await this.#letGo(session)
  }

  #keep(session: UploadSession): UploadSession {
    session.usedMs = this.#now()
    this.#sessions.set(session.upload.id, session)
    if (this.#sessions.size > this.#maxOpen) {
      const idle = [...this.#sessions.values()].filter((other) => !other.busy && other !== session)
      const oldest = idle.sort((a, b) => a.usedMs - b.usedMs)[0]
      if (oldest) void this.#letGo(oldest)
    }
    return session
  }

  async #sweep(): Promise<void> {
    const before = this.#now() - this.#idleMs
    for (const session of [...this.#sessions.values()]) {
      if (!session.busy && session.usedMs < before) await this.#letGo(session)
    }
  }

  async #letGo(session: UploadSession): Promise<void> {
    this.forget(session)
    await session.upload[Symbol.asyncDispose]().catch(() => undefined)
  }
}
