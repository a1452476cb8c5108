import { isFailure } from '#base/index.ts'
import { connectPostgres as connectDatabase } from '#log/index.ts'
import { failure } from './codes.ts'

export type Row = Readonly<Record<string, unknown>>
/** One statement with its parameters ($1 and on); `bytea` comes as bytes, `bigint` as text. */
export type Query = (text: string, values: readonly unknown[]) => Promise<readonly Row[]>

export interface PostgresTerms {
  /** Most connections of this process. */
  readonly connections: number
  readonly password?: string
  /** Made by these statements where it is not there. */
  readonly table: string
  readonly schema: string
}

/**
 * Connects to a PostgreSQL server (`postgres://USER@HOST/DATABASE`) and makes a table where it is not there.
 *
 * @throws SECRET_STORE_FAILED, from the queries too
 */
export async function connectPostgres(
  url: string,
  { connections, password, table, schema }: PostgresTerms,
): Promise<{ readonly query: Query; readonly end: () => Promise<void> }> {
  const database = await told(() =>
    connectDatabase(url, { connections, ...(password !== undefined && { password }) }),
  )
  try {
    // CREATE ... IF NOT EXISTS is no lock: two that begin at once would collide in the catalogue.
    await told(() =>
      database.transaction(async (query) => {
        await query('SELECT pg_advisory_xact_lock(hashtext($1))', [table])
        for (const statement of schema.split(';')) if (statement.trim()) await query(statement, [])
      }),
    )
  } catch (error) {
    await database[Symbol.asyncDispose]()
    throw error
  }
  return {
    query: (text, values) => told(() => database.query(text, values)),
    end: async () => {
      await database[Symbol.asyncDispose]()
    },
  }
}

/** What the database says may quote what it was given: only its code is told, and the error itself is let go. */
async function told<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (!isFailure(error, 'LOG_DATABASE')) throw error
    const { sqlState } = error.detail
    const known = typeof sqlState === 'string' && /^[A-Z0-9_]{5,40}$/.test(sqlState) ? sqlState : undefined
    throw failure('SECRET_STORE_FAILED', `PostgreSQL failed${known ? ` with ${known}` : ''}`, {
      detail: { ...(known && { sqlState: known }) },
    })
  }
}
