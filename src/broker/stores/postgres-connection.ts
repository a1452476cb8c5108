import { isFailure } from '#base/index.ts'
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
  const { default: postgres } = await import('postgres')
  const sql = await told(async () =>
    postgres(url, {
      max: connections,
      connect_timeout: 15,
      onnotice: () => undefined,
      ...(password !== undefined && { password }),
    }),
  )
  try {
    // CREATE ... IF NOT EXISTS is no lock: two that begin at once would collide in the catalogue.
    await told(() =>
      sql.begin(async (on) => {
        await on.unsafe('SELECT pg_advisory_xact_lock(hashtext($1))', [table])
        await on.unsafe(schema)
      }),
    )
  } catch (error) {
    await sql.end({ timeout: 5 })
    throw error
  }
  return {
    query: (text, values) => told(async () => sql.unsafe(text, values as never[], { prepare: true })),
    end: () => sql.end({ timeout: 5 }),
  }
}

/** What the database says may quote what it was given: only its code is told, and the error itself is let go. */
async function told<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (isFailure(error)) throw error
    const { code } = error as { code?: unknown }
    const known = typeof code === 'string' && /^[A-Z0-9_]{5,40}$/.test(code) ? code : undefined
    throw failure('SECRET_STORE_FAILED', `PostgreSQL failed${known ? ` with ${known}` : ''}`, {
      detail: { ...(known && { sqlState: known }) },
    })
  }
}
