import { createHash } from 'node:crypto'
import { isFailure } from '#base/index.ts'
import { failure } from './codes.ts'

export type Row = Readonly<Record<string, unknown>>
/** Runs one statement with its parameters ($1 and on). */
export type Query = (text: string, values: readonly unknown[]) => Promise<readonly Row[]>

/** What is needed of a PostgreSQL connection pool: `bytea` comes as bytes, `bigint` as text. */
export interface Database extends AsyncDisposable {
  readonly query: Query
  /** Runs `act` in one transaction on one connection: committed where it resolves, rolled back where it rejects. */
  transaction<T>(act: (query: Query) => Promise<T>): Promise<T>
}

/**
 * A pool of connections to a PostgreSQL server (`postgres://USER@HOST/DATABASE`). It connects when it is first used, and
 * again after the server was away: what was asked meanwhile fails, and nothing else.
 *
 * @throws LOG_DATABASE from every call that fails
 */
export async function connectPostgres(
  url: string,
  { connections = 4, password }: { readonly connections?: number; readonly password?: string } = {},
): Promise<Database> {
  const { default: pg } = await import('pg')
  const pool = await told(
    async () =>
      new pg.Pool({
        connectionString: url,
        max: connections,
        connectionTimeoutMillis: connectMs,
        ...(password !== undefined && { password }),
      }),
  )
  // A connection that is lost while nobody uses it is replaced when it is needed.
  pool.on('error', ignored)
  const queryOf =
    (on: Pick<typeof pool, 'query'>): Query =>
    (text, values) =>
      told(async () => (await on.query({ name: nameOf(text), text, values: [...values] })).rows as Row[])
  return {
    query: queryOf(pool),
    transaction: (act) =>
      told(async () => {
        const client = await pool.connect()
        client.on('error', ignored)
        let failed: Error | undefined
        try {
          await client.query('BEGIN')
          const result = await act(queryOf(client))
          await client.query('COMMIT')
          return result
        } catch (error) {
          failed = error as Error
          // Without an answer to this nobody knows what state the connection is in: it is closed, not used again.
          await client.query('ROLLBACK').then(
            () => {
              failed = undefined
            },
            () => undefined,
          )
          throw error
        } finally {
          client.removeListener('error', ignored)
          client.release(failed)
        }
      }),
    [Symbol.asyncDispose]: () => pool.end(),
  }
}

const connectMs = 15_000
const ignored = () => undefined

/** Statements are prepared once for each connection, under a name of their own. */
const nameOf = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 32)

/** What the database says, with our code; our own failures pass as they are. */
async function told<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (isFailure(error)) throw error
    const { message, code } = error as { message?: string; code?: string }
    const detail = { ...(code !== undefined && { sqlState: code }) }
    throw failure('LOG_DATABASE', `the database said: ${message || code}`, { cause: error, detail })
  }
}
