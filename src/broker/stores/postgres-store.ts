import type { SecretStore, Stored } from '../types.ts'
import { failure } from './codes.ts'
import { connectPostgres, type Query, type Row } from './postgres-connection.ts'
import { checkStored, isKeyName, isKeyPrefix, keyNames, newRevision, pageSize } from './secret-key.ts'

export interface PostgresStoreOptions {
  /** Several stores can share a database: which one this is. Default `secrets`. */
  readonly name?: string
  /** Most connections of this process. */
  readonly connections?: number
  readonly password?: string
}

/**
 * Secrets in PostgreSQL, for any number of replicas. Every change is one statement, which PostgreSQL makes wait for
 * another change of the same row and then judges anew (READ COMMITTED): no two succeed from one revision.
 */
export class PostgresSecretStore implements SecretStore, AsyncDisposable {
  readonly #query: Query
  readonly #name: string
  readonly #end: () => Promise<void>

  constructor(query: Query, name: string, end: () => Promise<void>) {
    this.#query = query
    this.#name = name
    this.#end = end
  }

  /** @throws SECRET_KEY_INVALID, SECRET_STORE_FAILED */
  async read(key: string, signal?: AbortSignal): Promise<Stored | undefined> {
    keyNames(key)
    signal?.throwIfAborted()
    const [row] = await this.#query(
      'SELECT value, revision FROM sealift_secrets WHERE store = $1 AND key = $2',
      [this.#name, key],
    )
    return row && { value: Uint8Array.from(row.value as Uint8Array), revision: row.revision as string }
  }

  /** @throws SECRET_STORE_FAILED */
  async list(
    prefix: string,
    { after = '', limit }: { readonly after?: string; readonly limit?: number } = {},
  ): Promise<readonly string[]> {
    if (!isKeyPrefix(prefix)) return []
    // 0x7f sorts after all that a key has in it. `after` may be anything, and PostgreSQL's text holds no NUL.
    const rows = await this.#query(
      `SELECT key FROM sealift_secrets WHERE store = $1 AND key >= $2 AND key < $3 AND key > $4
       ORDER BY key LIMIT $5`,
      [this.#name, prefix, `${prefix}\x7f`, after.split('\0', 1)[0], pageSize(limit)],
    )
    return rows.map(({ key }) => key as string)
  }

  /** @throws SECRET_KEY_INVALID, SECRET_VALUE_TOO_LARGE, SECRET_STORE_FAILED */
  async compareAndSet(
    key: string,
    expectedRevision: string | undefined,
    value: Uint8Array | null,
    signal?: AbortSignal,
  ): Promise<string | undefined> {
    keyNames(key)
    checkStored(value)
    signal?.throwIfAborted()
    if (value === null && expectedRevision === undefined) return undefined
    const rows = await this.#change(key, expectedRevision, value)
    return rows[0]?.revision as string | undefined
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#end()
  }

  #change(key: string, expected: string | undefined, value: Uint8Array | null): Promise<readonly Row[]> {
    if (value === null) {
      return this.#query(
        'DELETE FROM sealift_secrets WHERE store = $1 AND key = $2 AND revision = $3 RETURNING revision',
        [this.#name, key, expected],
      )
    }
    const parameters = [this.#name, key, newRevision(), value]
    return expected === undefined
      ? this.#query(
          `INSERT INTO sealift_secrets (store, key, revision, value) VALUES ($1, $2, $3, $4)
           ON CONFLICT DO NOTHING RETURNING revision`,
          parameters,
        )
      : this.#query(
          `UPDATE sealift_secrets SET revision = $3, value = $4
           WHERE store = $1 AND key = $2 AND revision = $5 RETURNING revision`,
          [...parameters, expected],
        )
  }
}

/** Under which a store's rows stand in the table, where nothing else is said. */
export const defaultStoreName = 'secrets'

const schema = `CREATE TABLE IF NOT EXISTS sealift_secrets (
  store text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL, revision text NOT NULL, value bytea NOT NULL,
  PRIMARY KEY (store, key))`

/**
 * Connects to a PostgreSQL server (`postgres://USER@HOST/DATABASE`) and makes the table where it is not there.
 *
 * @throws SECRET_STORE_FAILED, SECRET_KEY_INVALID for the name
 */
export async function openPostgresStore(
  url: string,
  { name = defaultStoreName, connections = 4, password }: PostgresStoreOptions = {},
): Promise<PostgresSecretStore> {
  if (!isKeyName(name)) throw failure('SECRET_KEY_INVALID', 'the name of a store is not a name')
  const { query, end } = await connectPostgres(url, {
    connections,
    ...(password !== undefined && { password }),
    table: 'sealift_secrets',
    schema,
  })
  return new PostgresSecretStore(query, name, end)
}
