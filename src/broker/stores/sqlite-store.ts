import { open as openFile } from 'node:fs/promises'
import type { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { isFailure, secretLimits } from '#base/index.ts'
import type { SecretStore, Stored } from '../types.ts'
import { failure } from './codes.ts'
import { checkStored, isKeyPrefix, keyNames, newRevision, pageSize } from './secret-key.ts'

export interface SqliteStoreOptions {
  /** How long a change waits for another process, in milliseconds. */
  readonly busyMs?: number
}

/** 'SLFT', in the file's header: whose file it is (sqlite.org/fileformat, offset 68). */
const applicationId = 0x534c4654
const version = 1
/** Result codes of SQLite (sqlite.org/rescode), the low byte. */
const sqliteBusy = 5
const sqliteNotADatabase = 26
const pollMs = 5

/**
 * Secrets in one SQLite file (with its `-wal` and `-shm` while it is open), for any number of processes of one
 * machine. A change is on the disk when it resolves; what is removed is overwritten in the file.
 */
export class SqliteSecretStore implements SecretStore, AsyncDisposable {
  readonly #database: DatabaseSync
  readonly #busyMs: number
  readonly #statements

  constructor(database: DatabaseSync, { busyMs = secretLimits.busyMs }: SqliteStoreOptions = {}) {
    this.#database = database
    this.#busyMs = busyMs
    this.#statements = {
      read: database.prepare('SELECT value, revision FROM secrets WHERE key = ?'),
      // 0x7f sorts after all that a key has in it.
      list: database.prepare(
        'SELECT key FROM secrets WHERE key >= ?1 AND key < ?1 || char(127) AND key > ?2 ORDER BY key LIMIT ?3',
      ),
      insert: database.prepare(
        'INSERT INTO secrets (revision, value, key) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
      ),
      update: database.prepare('UPDATE secrets SET revision = ?, value = ? WHERE key = ? AND revision = ?'),
      remove: database.prepare('DELETE FROM secrets WHERE key = ? AND revision = ?'),
    }
  }

  /** @throws SECRET_KEY_INVALID, SECRET_STORE_BUSY, SECRET_STORE_FAILED */
  async read(key: string, signal?: AbortSignal): Promise<Stored | undefined> {
    keyNames(key)
    const row = await this.#run(() => this.#statements.read.get(key), signal)
    return row && { value: row.value as Uint8Array, revision: row.revision as string }
  }

  /** @throws SECRET_STORE_BUSY, SECRET_STORE_FAILED */
  async list(
    prefix: string,
    { after = '', limit }: { readonly after?: string; readonly limit?: number } = {},
  ): Promise<readonly string[]> {
    if (!isKeyPrefix(prefix)) return []
    const rows = await this.#run(() => this.#statements.list.all(prefix, after, pageSize(limit)))
    return rows.map(({ key }) => key as string)
  }

  /** @throws SECRET_KEY_INVALID, SECRET_VALUE_TOO_LARGE, SECRET_STORE_BUSY, SECRET_STORE_FAILED */
  async compareAndSet(
    key: string,
    expectedRevision: string | undefined,
    value: Uint8Array | null,
    signal?: AbortSignal,
  ): Promise<string | undefined> {
    keyNames(key)
    checkStored(value)
    const { insert, update, remove } = this.#statements
    // Each is one statement, and so one transaction: SQLite has one writer at a time.
    if (value === null) {
      if (expectedRevision === undefined) {
        await this.read(key, signal)
        return undefined
      }
      const { changes } = await this.#run(() => remove.run(key, expectedRevision), signal)
      return changes === 1 ? expectedRevision : undefined
    }
    const revision = newRevision()
    const { changes } = await this.#run(
      () =>
        expectedRevision === undefined
          ? insert.run(revision, value, key)
          : update.run(revision, value, key, expectedRevision),
      signal,
    )
    return changes === 1 ? revision : undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#database.isOpen) this.#database.close()
  }

  #run<T>(act: () => T, signal?: AbortSignal): Promise<T> {
    return patiently(act, this.#busyMs, signal)
  }
}

/** Waits for other processes without standing in the way of this one's other work, as SQLite's own waiting would. */
async function patiently<T>(act: () => T, busyMs: number, signal?: AbortSignal): Promise<T> {
  for (const began = performance.now(); ; ) {
    signal?.throwIfAborted()
    try {
      return act()
    } catch (error) {
      if (isFailure(error)) throw error
      const code = (error as { errcode?: number }).errcode
      if (code === undefined || (code & 0xff) !== sqliteBusy) throw failed(code)
      if (performance.now() - began >= busyMs) {
        throw failure('SECRET_STORE_BUSY', 'another process held the database for too long')
      }
    }
    await delay(pollMs)
  }
}

/** Without what SQLite says, which may quote what it was given. */
const failed = (code: number | undefined) =>
  code === sqliteNotADatabase
    ? failure('SECRET_STORE_FOREIGN', 'the file of the store is no SQLite database')
    : failure(
        'SECRET_STORE_FAILED',
        `SQLite failed${code === undefined ? '' : ` with result code ${code}`}`,
        {
          detail: { ...(code !== undefined && { sqliteCode: code }) },
        },
      )

/**
 * Opens the file, or makes it (readable for its owner alone).
 *
 * @throws SECRET_STORE_FOREIGN where it is another program's, SECRET_STORE_BUSY, SECRET_STORE_FAILED
 */
export async function openSqliteStore(
  path: string,
  options: SqliteStoreOptions = {},
): Promise<SqliteSecretStore> {
  const { DatabaseSync } = await import('node:sqlite')
  const busyMs = options.busyMs ?? secretLimits.busyMs
  // SQLite gives the files beside it the same mode.
  await openFile(path, 'a', 0o600).then(
    (file) => file.close(),
    (error: NodeJS.ErrnoException) => {
      throw failure('SECRET_STORE_FAILED', `${path} cannot be opened: ${error.code}`)
    },
  )
  const database = await patiently(() => new DatabaseSync(path, { timeout: 0 }), busyMs)
  try {
    await patiently(() => prepare(database, path), busyMs)
    return new SqliteSecretStore(database, options)
  } catch (error) {
    database.close()
    throw error
  }
}

function prepare(database: DatabaseSync, path: string): void {
  // Nothing is changed in a file of somebody else's.
  isEmpty(database, path)
  // A change that was acknowledged survives a power cut only with synchronous=FULL (sqlite.org/pragma).
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON')
  database.exec('PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON')
  database.exec('BEGIN IMMEDIATE')
  try {
    if (isEmpty(database, path)) {
      database.exec(
        'CREATE TABLE secrets (key TEXT PRIMARY KEY NOT NULL, revision TEXT NOT NULL, value BLOB NOT NULL) STRICT',
      )
      database.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${version}`)
    }
    database.exec('COMMIT')
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

/** Whether there is nothing yet. @throws SECRET_STORE_FOREIGN where there is something that is not ours */
function isEmpty(database: DatabaseSync, path: string): boolean {
  const number = (name: string) => database.prepare(`PRAGMA ${name}`).get()?.[name]
  const id = number('application_id')
  const tables = database.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.count
  if (id === 0 && tables === 0) return true
  if (id === applicationId && number('user_version') === version) return false
  throw failure('SECRET_STORE_FOREIGN', `${path} is not a secret store of version ${version}`)
}
