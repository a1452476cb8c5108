import type { ProtocolVersion, Tee } from '#attestation/index.ts'

/** One handshake, and what came of it. Immutable but for the token, which comes once. */
export interface Session {
  /** 32 hex digits of a secure random source: who knows it is the guest. Never in a log. */
  readonly id: string
  readonly version: ProtocolVersion
  readonly tee: Tee
  /** What evidence has to be bound to. */
  readonly nonce: string
  readonly expires: Date
  /** What the guest got for good evidence. */
  readonly token?: string
}

/** Where sessions are kept: in the memory of one process, or in a database for several. */
export interface SessionStore extends AsyncDisposable {
  /** @throws SESSION_LIMIT where there are too many already */
  create(session: Session, at: Date, signal?: AbortSignal): Promise<void>
  /** Undefined for one that never was, and for one that has ended. */
  read(id: string, at: Date, signal?: AbortSignal): Promise<Session | undefined>
  /**
   * Gives the session its token, unless it has one: the first wins. @returns the session as it is then, or undefined
   * where it has ended. @throws SESSION_LIMIT where there is no room for the token
   */
  attest(id: string, token: string, at: Date, signal?: AbortSignal): Promise<Session | undefined>
  /** How many there are (an estimate where that is dear). */
  readonly count: number
}
