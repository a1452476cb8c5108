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
 * A pool of connections to a PostgreSQL server (`postgres://USER@HOST/DATABASE`). It connects when it is first used.
 *
 * @throws LOG_DATABASE from every call that fails
 */
export async function connectPostgres(
  url: string,
  { connections = 4, password }: { readonly connections?: number; readonly password?: string } = {},
): Promise<Database> {
  const { default: postgres } = await import('postgres')
  const sql = await told(async () =>
    postgres(url, {
      max: connections,
      connect_timeout: 15,
      onnotice: () => undefined,
      ...(password !== undefined && { password }),
    }),
  )
  type Unsafe = Pick<typeof sql, 'unsafe'>
  const queryOf =
    (on: Unsafe): Query =>
    (text, values) =>
      told(async () => on.unsafe(text, values as never[], { prepare: true }))
  return {
    query: queryOf(sql),
    transaction: <T>(act: (query: Query) => Promise<T>) =>
      told(() => sql.begin((transaction) => act(queryOf(transaction))) as Promise<T>),
    [Symbol.asyncDispose]: () => sql.end({ timeout: 5 }),
  }
}

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
