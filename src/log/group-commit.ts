import { setImmediate, setTimeout } from 'node:timers/promises'
import { limits } from '#base/index.ts'
import { failure } from './codes.ts'
import { assertEntry } from './tiles.ts'
import type { Appended, Checkpoint } from './types.ts'

/** Makes entries durable, all or none; the first of them got the index `first`. */
export type Commit = (
  entries: readonly Uint8Array[],
) => Promise<{ readonly first: number; readonly checkpoint: Checkpoint }>

interface Waiting {
  readonly entry: Uint8Array
  resolve(appended: Appended): void
  reject(error: unknown): void
}

/** One commit at a time; all entries that come while one is under way go together in the next. */
export class GroupCommit {
  readonly #commit: Commit
  #waiting: Waiting[] = []
  #running: Promise<void> | undefined
  #isClosed = false
  readonly #paceMs: number
  /** Entries of the last commit. */
  #last = 0

  constructor(commit: Commit, paceMs: number = limits.logPaceMs) {
    this.#commit = commit
    this.#paceMs = paceMs
  }

  /** @throws LOG_ENTRY_TOO_LARGE, LOG_CLOSED, and what the commit throws */
  async append(entry: Uint8Array): Promise<Appended> {
    assertEntry(entry)
    if (this.#isClosed) throw failure('LOG_CLOSED', 'the log is closed')
    const appended = new Promise<Appended>((resolve, reject) => {
      // The caller may go on with its buffer.
      this.#waiting.push({ entry: new Uint8Array(entry), resolve, reject })
    })
    this.#running ??= this.#run()
    return appended
  }

  /** Takes no more entries, and resolves when those that wait are written or refused. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.settled()
  }

  /** Resolves when all entries that wait are written or refused. */
  async settled(): Promise<void> {
    await this.#running
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      // Callers who were just answered, or who stand in line behind this turn, come along.
      await setImmediate()
      // A commit costs the same for one entry and for fifty: where there are several callers, more of them come along
      // in a moment, which is much shorter than what they save each other. A lone caller never waits.
      if (this.#isAmong(this.#last)) await setTimeout(this.#paceMs)
      const group = this.#take()
      this.#last = group.length
      try {
        const { first, checkpoint } = await this.#commit(group.map(({ entry }) => entry))
        group.forEach(({ resolve }, at) => {
          resolve({ index: first + at, checkpoint })
        })
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
    }
    // In the same turn as the look at who waits: an entry that comes later begins a run of its own.
    this.#running = undefined
  }

  #isAmong(last: number): boolean {
    const now = this.#waiting.length
    return last > 1 && last < limits.logPacedEntries && now < limits.logPacedEntries
  }

  #take(): Waiting[] {
    let bytes = 0
    let count = 0
    for (const { entry } of this.#waiting) {
      bytes += entry.length
      if (count > 0 && (bytes > limits.logGroupBytes || count >= limits.logGroupEntries)) break
      count++
    }
    return this.#waiting.splice(0, count)
  }
}
