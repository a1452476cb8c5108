import { brokerLimits } from '#base/index.ts'
import { failure } from './codes.ts'
import { isSessionId } from './session-id.ts'
import type { Session, SessionStore } from './types.ts'

export interface MemorySessionsOptions {
  /** As many are kept; one more is refused. Who attested is never pushed out by who did not. */
  readonly most?: number
  /** Of all tokens; those that are longer than `longTokenBytes` take half of it at most. */
  readonly mostTokenBytes?: number
  readonly longTokenBytes?: number
}

/** At most so many are forgotten by one request. */
const forgottenAtOnce = 64

/** Sessions of one process. They end with it: their guests attest again. No timer: the next session makes room. */
export class MemorySessions implements SessionStore {
  readonly #sessions = new Map<string, Session>()
  /**
   * The ids by the second in which they end. Few, as all sessions last equally long; in their order, unless a clock
   * was set back.
   */
  readonly #ends = new Map<number, string[]>()
  readonly #most: number
  readonly #mostTokenBytes: number
  readonly #longTokenBytes: number
  /** A guest says in its init-data how long its token is: a few thousand long ones would be all memory. */
  readonly #tokenBytes = { short: 0, long: 0 }

  constructor({
    most = brokerLimits.sessions,
    mostTokenBytes = brokerLimits.sessionTokenBytes,
    longTokenBytes = brokerLimits.longTokenBytes,
  }: MemorySessionsOptions = {}) {
    this.#most = most
    this.#mostTokenBytes = mostTokenBytes
    this.#longTokenBytes = longTokenBytes
  }

  /** Those too that have ended since the last one was made. */
  get count(): number {
    return this.#sessions.size
  }

  /** @throws SESSION_LIMIT */
  async create(session: Session, at: Date, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    this.#forgetEnded(at)
    if (this.#sessions.size >= this.#most)
      throw failure('SESSION_LIMIT', `there are ${this.#sessions.size} sessions already`)
    const second = secondOf(session.expires)
    const ids = this.#ends.get(second)
    if (ids) ids.push(session.id)
    else this.#ends.set(second, [session.id])
    this.#sessions.set(session.id, session)
  }

  async read(id: string, at: Date, signal?: AbortSignal): Promise<Session | undefined> {
    signal?.throwIfAborted()
    return this.#find(id, at)
  }

  /** @throws SESSION_LIMIT */
  async attest(id: string, token: string, at: Date, signal?: AbortSignal): Promise<Session | undefined> {
    signal?.throwIfAborted()
    // Nothing is awaited between looking and writing: of two that come at once the first wins.
    const session = this.#find(id, at)
    if (!session || session.token !== undefined) return session
    this.#takeRoom(token)
    const attested = { ...session, token }
    this.#sessions.set(id, attested)
    return attested
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#sessions.clear()
    this.#ends.clear()
    Object.assign(this.#tokenBytes, { short: 0, long: 0 })
  }

  #kindOf = (token: string): 'short' | 'long' => (token.length > this.#longTokenBytes ? 'long' : 'short')

  /** @throws SESSION_LIMIT */
  #takeRoom(token: string): void {
    const bytes = this.#tokenBytes
    const kind = this.#kindOf(token)
    const isFull =
      bytes.short + bytes.long + token.length > this.#mostTokenBytes ||
      (kind === 'long' && bytes.long + token.length > this.#mostTokenBytes / 2)
    if (isFull)
      throw failure('SESSION_LIMIT', `the tokens of sessions take ${bytes.short + bytes.long} bytes already`)
    bytes[kind] += token.length
  }

  #forget(id: string): void {
    const token = this.#sessions.get(id)?.token
    if (token !== undefined) this.#tokenBytes[this.#kindOf(token)] -= token.length
    this.#sessions.delete(id)
  }

  #find(id: string, at: Date): Session | undefined {
    const session = isSessionId(id) ? this.#sessions.get(id) : undefined
    return session && session.expires > at ? session : undefined
  }

  /**
   * Some of those that ended before this second: more than one for each that is made, so that none stays for long.
   * Where it is full all seconds are looked at, as a clock that was set back has put later ends before earlier ones.
   */
  #forgetEnded(at: Date): void {
    const now = secondOf(at)
    let left = forgottenAtOnce
    for (const [second, ids] of this.#ends) {
      if (second >= now) {
        if (this.#sessions.size < this.#most) return
        continue
      }
      const ended = ids.splice(-left)
      for (const id of ended) this.#forget(id)
      if (ids.length === 0) this.#ends.delete(second)
      left -= ended.length
      if (left === 0) return
    }
  }
}

const secondOf = (time: Date): number => Math.floor(time.getTime() / 1000)
