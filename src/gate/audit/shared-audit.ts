import { setTimeout as delay } from 'node:timers/promises'
import type { Audit } from './audit.ts'
import type { FolderAudit } from './audit-directory.ts'
import type { Objects } from './objects.ts'
import type { AuditRecord } from './record.ts'

/** Those who wait for a lock look at it every 10 ms. */
const othersMs = 15

export interface SharedAuditOptions {
  /** Opens the folder for writing; waits its turn where somebody else writes. */
  readonly open: () => Promise<FolderAudit>
  readonly objects: Objects
  /** Lets others write after so long without an entry; 500 ms where it is not said. */
  readonly idleMs?: number
  /** Lets others write after so long in any case; 3 s where it is not said. */
  readonly turnMs?: number
}

/**
 * An audit folder for a process that lives long beside others that write to the same one: it takes the log only while
 * it has entries for it, and never for longer than one turn. Where nobody else wrote meanwhile, to take it again costs
 * a lock and a look at the checkpoint.
 */
export class SharedAudit implements Audit, AsyncDisposable {
  readonly objects: Objects
  readonly #options: SharedAuditOptions
  #opened: Promise<FolderAudit> | undefined
  /** Left to others for now. */
  #resting: FolderAudit | undefined
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
    this.#opened ??= this.#take()
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
    await this.#resting?.[Symbol.asyncDispose]()
  }

  async #take(): Promise<FolderAudit> {
    await this.#closing
    // What cannot be taken again stays here: a log that was set back is refused as long as this process lives.
    if (this.#resting) await this.#resting.take()
    else this.#resting = await this.#options.open()
    this.#since = performance.now()
    return this.#resting
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
    const { turnMs = 3000 } = this.#options
    const opened = this.#opened
    if (!opened || this.#appending > 0) return this.#closing
    this.#opened = undefined
    const isTurnOver = performance.now() - this.#since > turnMs
    // An opening that failed was told to whoever waited for it.
    this.#closing = opened
      .then(async (audit) => {
        await audit.rest()
        if (isTurnOver) await delay(othersMs)
      })
      .catch(() => undefined)
    return this.#closing
  }
}
