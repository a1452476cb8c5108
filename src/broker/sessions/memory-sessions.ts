import { brokerLimits } from '#base/index.ts'
import { failure } from './codes.ts'
import type { Session, SessionStore } from './types.ts'

export interface MemorySessionsOptions {
  /** As many are kept; one more is refused. Who attested is never pushed out by who did not. */
  readonly most?: number
}

/** Sessions of one process. They end with it: their guests attest again. */
export class MemorySessions implements SessionStore {
  /** In the order of their making, which is that of their ends unless a clock was set back. */
  readonly #sessions = new Map<string, Session>()
  readonly #most: number

  constructor({ most = brokerLimits.sessions }: MemorySessionsOptions = {}) {
    this.#most = most
  }

  get count(): number {
    return this.#sessions.size
  }

  async create(session: Session, at: Date): Promise<void> {
    this.#forgetEnded(at)
    if (this.#sessions.size >= this.#most) {
      // After a clock was set back, what ended may stand behind what did not.
      for (const [id, { expires }] of this.#sessions) if (expires <= at) this.#sessions.delete(id)
      if (this.#sessions.size >= this.#most)
        throw failure('SESSION_LIMIT', `there are ${this.#sessions.size} sessions already`)
    }
    this.#sessions.set(session.id, session)
  }

  async read(id: string, at: Date): Promise<Session | undefined> {
    const session = this.#sessions.get(id)
    return session && session.expires > at ? session : undefined
  }

  async attest(id: string, token: string, at: Date): Promise<Session | undefined> {
    const session = await this.read(id, at)
    if (!session || session.token !== undefined) return session
    const attested = { ...session, token }
    this.#sessions.set(id, attested)
    return attested
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#sessions.clear()
  }

  /** As many of the oldest as there are, so that no request pays for all of them: amortised, one for each new one. */
  #forgetEnded(at: Date): void {
    let left = 64
    for (const [id, { expires }] of this.#sessions) {
      if (expires > at || left-- === 0) return
      this.#sessions.delete(id)
    }
  }
}
