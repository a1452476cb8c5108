import { createHash } from 'node:crypto'
import { type ProtocolVersion, protocolOf, type Tee, teeOf } from '#attestation/index.ts'
import { brokerLimits } from '#base/index.ts'
import { connectPostgres, type Query, type Row } from '../stores/index.ts'
import { failure } from './codes.ts'
import type { Session, SessionStore } from './types.ts'

export interface PostgresSessionsOptions {
  readonly most?: number
  readonly password?: string
  readonly connections?: number
}

const schema = `CREATE TABLE IF NOT EXISTS sealift_sessions (
  id bytea PRIMARY KEY, version text NOT NULL, tee text NOT NULL, nonce text NOT NULL,
  expires bigint NOT NULL, token text);
CREATE INDEX IF NOT EXISTS sealift_sessions_expires ON sealift_sessions (expires)`

/** What ended is removed so often, as many at once: by whoever makes a session then. */
const sweepMs = 2_000
const sweepRows = 5_000

/**
 * Sessions in PostgreSQL, for any number of replicas: each operation is one statement on one row. The database knows
 * the hash of an id alone: who can read it cannot take a session over; and a token is good for its own TEE alone,
 * whose key opens what is answered to it.
 */
export class PostgresSessions implements SessionStore {
  readonly #query: Query
  readonly #end: () => Promise<void>
  readonly #most: number
  #count = 0
  #swept = Number.NEGATIVE_INFINITY
  #sweeping: Promise<void> | undefined

  constructor(query: Query, end: () => Promise<void>, most: number) {
    this.#query = query
    this.#end = end
    this.#most = most
  }

  /** As of the last sweep, of all replicas together, and those made here since. */
  get count(): number {
    return this.#count
  }

  async create(session: Session, at: Date, signal?: AbortSignal): Promise<void> {
    this.#sweepNow(at)
    if (this.#count >= this.#most) throw failure('SESSION_LIMIT', `there are ${this.#count} sessions already`)
    signal?.throwIfAborted()
    const { id, version, tee, nonce, expires } = session
    await this.#query(
      'INSERT INTO sealift_sessions (id, version, tee, nonce, expires) VALUES ($1, $2, $3, $4, $5)',
      [hashOf(id), version, tee, nonce, expires.getTime()],
    )
    this.#count++
  }

  async read(id: string, at: Date, signal?: AbortSignal): Promise<Session | undefined> {
    signal?.throwIfAborted()
    const [row] = await this.#query(
      'SELECT version, tee, nonce, expires, token FROM sealift_sessions WHERE id = $1 AND expires > $2',
      [hashOf(id), at.getTime()],
    )
    return row && sessionOf(id, row)
  }

  async attest(id: string, token: string, at: Date, signal?: AbortSignal): Promise<Session | undefined> {
    signal?.throwIfAborted()
    const [row] = await this.#query(
      `UPDATE sealift_sessions SET token = coalesce(token, $2) WHERE id = $1 AND expires > $3
       RETURNING version, tee, nonce, expires, token`,
      [hashOf(id), token, at.getTime()],
    )
    return row && sessionOf(id, row)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sweeping
    await this.#end()
  }

  /** Beside the request: no guest waits for it, and what fails is done the next time. */
  #sweepNow(at: Date): void {
    if (this.#sweeping || performance.now() - this.#swept < sweepMs) return
    this.#swept = performance.now()
    this.#sweeping = this.#sweep(at)
      .catch(() => undefined)
      .finally(() => {
        this.#sweeping = undefined
      })
  }

  async #sweep(at: Date): Promise<void> {
    await this.#query(
      `DELETE FROM sealift_sessions WHERE id IN (SELECT id FROM sealift_sessions WHERE expires <= $1
       ORDER BY expires LIMIT $2 FOR UPDATE SKIP LOCKED)`,
      [at.getTime(), sweepRows],
    )
    const [row] = await this.#query('SELECT count(*) AS count FROM sealift_sessions WHERE expires > $1', [
      at.getTime(),
    ])
    this.#count = Number(row?.count ?? 0)
  }
}

/** @throws SECRET_STORE_FAILED */
export async function openPostgresSessions(
  url: string,
  { most = brokerLimits.sessions, password, connections = 8 }: PostgresSessionsOptions = {},
): Promise<PostgresSessions> {
  const { query, end } = await connectPostgres(url, {
    connections,
    ...(password !== undefined && { password }),
    table: 'sealift_sessions',
    schema,
  })
  return new PostgresSessions(query, end, most)
}

const hashOf = (id: string): Buffer => createHash('sha256').update(id).digest()

function sessionOf(id: string, { version, tee, nonce, expires, token }: Row): Session {
  return {
    id,
    version: protocolOf(version as string).version satisfies ProtocolVersion,
    tee: teeOf(tee as string) satisfies Tee,
    nonce: nonce as string,
    expires: new Date(Number(expires)),
    ...(typeof token === 'string' && { token }),
  }
}
