import type { Audit } from './audit.ts'
import type { OpenAudit } from './audit-directory.ts'
import type { Objects } from './objects.ts'
import type { AuditRecord } from './record.ts'

export interface SharedAuditOptions {
  /** Opens the folder for writing; waits its turn where somebody else writes. */
  readonly open: () => Promise<OpenAudit>
  readonly objects: Objects
  /** Lets others write after so long without an entry; 500 ms where it is not said. */
  readonly idleMs?: number
  /** Lets others write after so long in any case; 3 s where it is not said. */
  readonly turnMs?: number
}

/**
 * An audit folder for a process that lives long beside others that write to the same one: it takes the log only while
 * it has entries for it, and never for longer than one turn.
 */
export class SharedAudit implements Audit, AsyncDisposable {
  readonly objects: Objects
  readonly #options: SharedAuditOptions
  #opened: Promise<OpenAudit> | undefined
  #closing: Promise<void> = Promise.resolve()
  #appending = 0
  #since = 0
  #timer: NodeJS.Timeout | undefined

  constructor(options: SharedAuditOptions) {
    this.#options = options
    this.objects = options.objects
  }

  async append(record: AuditRecord): Promise<number> {
    const { turnMs = 3000 } = this.#options
    // Those who come after the turn is over wait for the next one, so that it ends.
    while (this.#opened && performance.now() - this.#since > turnMs) await this.#finished()
    this.#opened ??= this.#open()
    this.#appending++
    clearTimeout(this.#timer)
    try {
      return await (await this.#opened).append(record)
    } catch (error) {
      // What the folder holds now is looked at again before anything is added.
      this.#since = Number.NEGATIVE_INFINITY
      throw error
    } finally {
      this.#appending--
      if (this.#appending === 0) this.#rest()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer)
    await this.#close()
  }

  async #open(): Promise<OpenAudit> {
    await this.#closing
    const opened = await this.#options.open()
    this.#since = performance.now()
    return opened
  }

  #rest(): void {
    const { idleMs = 500, turnMs = 3000 } = this.#options
    if (performance.now() - this.#since > turnMs) void this.#close()
    else {
      this.#timer = setTimeout(() => void this.#close(), idleMs)
      this.#timer.unref()
    }
  }

  async #finished(): Promise<void> {
    if (this.#appending === 0) return this.#close()
    await new Promise((resolve) => setTimeout(resolve, 5))
  }

  #close(): Promise<void> {
    const opened = this.#opened
    if (!opened || this.#appending > 0) return this.#closing
    this.#opened = undefined
    // An opening that failed was told to whoever waited for it.
    this.#closing = opened.then((audit) => audit[Symbol.asyncDispose]()).catch(() => undefined)
    return this.#closing
  }
}
