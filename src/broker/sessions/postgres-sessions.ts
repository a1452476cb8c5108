import { protocolOf, teeOf } from '#attestation/index.ts'
import { brokerLimits } from '#base/index.ts'
import { connectPostgres, type Query, type Row } from '../stores/index.ts'
import { failure } from './codes.ts'
import { openToken, sealToken, sessionKey } from './sealed-token.ts'
import { isSessionId } from './session-id.ts'
import type { Session, SessionStore } from './types.ts'

export interface PostgresSessionsOptions {
  /** Several brokers can share a database: whose sessions these are. Default `sessions`. */
  readonly name?: string
  /** As many are kept by all replicas together; one more is refused, give or take those of two seconds. */
  readonly most?: number
  readonly password?: string
  /** Most connections of this process. */
  readonly connections?: number
  /** What has ended is looked for so often. */
  readonly sweepMs?: number
}

// Unlogged: no session waits for a disk. After a crash of the database there are none, and guests attest again, as they
// do where sessions are kept in memory. A later version with other columns has another table.
const table = 'sealift_sessions_1'
const schema = `CREATE UNLOGGED TABLE IF NOT EXISTS ${table} (
  store text NOT NULL, key bytea NOT NULL, version text NOT NULL, tee text NOT NULL, nonce text NOT NULL,
  expires bigint NOT NULL, token bytea, PRIMARY KEY (store, key));
CREATE INDEX IF NOT EXISTS ${table}_expires ON ${table} (store, expires)`

/** So many that have ended are removed at once. */
const sweptRows = 5000

/**
 * Sessions in PostgreSQL, for any number of replicas: each operation is one statement on one row, prepared. The
 * database knows a session by the hash of its id, and its token sealed under the id: who can read the database can
 * take no session over, and shows no token to anybody.
 */
export class PostgresSessions implements SessionStore {
  readonly #query: Query
  readonly #end: () => Promise<void>
  readonly #name: string
  readonly #most: number
  readonly #sweepMs: number
  #count = 0
  /** How often they were counted. */
  #counted = 0
  #swept = Number.NEGATIVE_INFINITY
  #sweeping: Promise<void> | undefined

  constructor(
    query: Query,
    end: () => Promise<void>,
    { name, most, sweepMs }: Required<Pick<PostgresSessionsOptions, 'name' | 'most' | 'sweepMs'>>,
  ) {
    this.#query = query
    this.#end = end
    this.#name = name
    this.#most = most
    this.#sweepMs = sweepMs
  }

  /** As of the last sweep, of all replicas together, and those made here since. */
  get count(): number {
    return this.#count
  }

  /** @throws SESSION_LIMIT, SECRET_STORE_FAILED */
  async create(session: Session, at: Date, signal?: AbortSignal): Promise<void> {
    this.#sweepNow(at)
    if (this.#count >= this.#most) throw failure('SESSION_LIMIT', `there are ${this.#count} sessions already`)
    signal?.throwIfAborted()
    const counted = this.#counted
    const { id, version, tee, nonce, expires } = session
    await this.#query(
      `INSERT INTO ${table} (store, key, version, tee, nonce, expires) VALUES ($1, $2, $3, $4, $5, $6)`,
      [this.#name, sessionKey(this.#name, id), version, tee, nonce, expires.getTime()],
    )
    // Somebody counted meanwhile, perhaps this one too: better one too many than one that is refused too early.
    if (counted === this.#counted) this.#count++
  }

  /** @throws SECRET_STORE_FAILED */
  async read(id: string, at: Date, signal?: AbortSignal): Promise<Session | undefined> {
    if (!isSessionId(id)) return undefined
    signal?.throwIfAborted()
    const [row] = await this.#query(
      `SELECT version, tee, nonce, expires, token FROM ${table}
       WHERE store = $1 AND key = $2 AND expires > $3`,
      [this.#name, sessionKey(this.#name, id), at.getTime()],
    )
    return row && this.#sessionOf(id, row)
  }

  /** @throws SECRET_STORE_FAILED */
  async attest(id: string, token: string, at: Date, signal?: AbortSignal): Promise<Session | undefined> {
    if (!isSessionId(id)) return undefined
    signal?.throwIfAborted()
    // Two replicas that come at once wait for each other at the row, and the later one finds the first one's token.
    const [row] = await this.#query(
      `UPDATE ${table} SET token = coalesce(token, $3) WHERE store = $1 AND key = $2 AND expires > $4
       RETURNING version, tee, nonce, expires, token`,
      [this.#name, sessionKey(this.#name, id), sealToken(this.#name, id, token), at.getTime()],
    )
    return row && this.#sessionOf(id, row)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sweeping
    await this.#end()
  }

  /** What somebody changed in the database is no session. */
  #sessionOf(id: string, { version, tee, nonce, expires, token }: Row): Session | undefined {
    const plain = token === null ? undefined : openToken(this.#name, id, token as Uint8Array)
    if (token !== null && plain === undefined) return undefined
    return {
      id,
      version: protocolOf(version as string).version,
      tee: teeOf(tee as string),
      nonce: nonce as string,
      expires: new Date(Number(expires)),
      ...(plain !== undefined && { token: plain }),
    }
  }

  /** Beside the request: no guest waits for it, and what fails is done the next time. */
  #sweepNow(at: Date): void {
    if (this.#sweeping || performance.now() - this.#swept < this.#sweepMs) return
    this.#swept = performance.now()
    this.#sweeping = this.#sweep(at)
      .catch(() => undefined)
      .finally(() => {
        this.#sweeping = undefined
      })
  }

  async #sweep(at: Date): Promise<void> {
    const removed = await this.#query(
      `WITH ended AS (DELETE FROM ${table} WHERE store = $1 AND key IN
         (SELECT key FROM ${table} WHERE store = $1 AND expires <= $2
          ORDER BY expires LIMIT $3 FOR UPDATE SKIP LOCKED) RETURNING 1)
       SELECT count(*) AS count FROM ended`,
      [this.#name, at.getTime(), sweptRows],
    )
    // More of them are left: whoever makes the next session goes on.
    if (Number(removed[0]?.count) === sweptRows) this.#swept = Number.NEGATIVE_INFINITY
    // Never more than it takes to know that it is full.
    const [row] = await this.#query(
      `SELECT count(*) AS count FROM
         (SELECT 1 FROM ${table} WHERE store = $1 AND expires > $2 LIMIT $3) AS living`,
      [this.#name, at.getTime(), this.#most],
    )
    this.#count = Number(row?.count ?? 0)
    this.#counted++
  }
}

/**
 * Connects to a PostgreSQL server (`postgres://USER@HOST/DATABASE`) and makes the table where it is not there.
 *
 * @throws SECRET_STORE_FAILED
 */
export async function openPostgresSessions(
  url: string,
  {
    name = 'sessions',
    most = brokerLimits.sessions,
    password,
    connections = 8,
    sweepMs = 2000,
  }: PostgresSessionsOptions = {},
): Promise<PostgresSessions> {
  const { query, end } = await connectPostgres(url, {
    connections,
    ...(password !== undefined && { password }),
    table,
    schema,
  })
  return new PostgresSessions(query, end, { name, most, sweepMs })
}
