import { formatCheckpoint, verifyCheckpoint } from './checkpoint.ts'
import { failure } from './codes.ts'
import { askCosigners } from './cosigners.ts'
import { edgeRoot, extend, loadEdge, type RightEdge } from './edge.ts'
import { GroupCommit } from './group-commit.ts'
import { emptyRoot } from './hash.ts'
import { signNote } from './note.ts'
import { noteVerifier } from './note-key.ts'
import type { LogIdentity } from './open-log.ts'
import type { Database, Query } from './postgres-database.ts'
import { postgresTiles, schema } from './postgres-tiles.ts'
import { assertContinues, type ReadLogOptions, readLog } from './read-log.ts'
import { hashesAt } from './tiles.ts'
import type { Appended, Checkpoint, Cosigner, Log, LogReader } from './types.ts'
import { VerifiedTree } from './verified-tree.ts'

export interface PostgresLogOptions extends LogIdentity {
  /** Stays the caller's: it is not closed with the log. */
  readonly database: Database
}

/** Any number will do that no other program uses: who creates the tables holds it meanwhile. */
const schemaLock = 0x5ea11f7

/**
 * A log that several processes may append to at once: its head is a row, and whoever holds that row's lock goes on
 * from it. Entries, hashes and the signed checkpoint are one transaction, so that a process that is killed leaves
 * either all of them or none; that is why the tiles are in the database too, and not on shared files.
 *
 * Every replica needs the same signing key.
 *
 * @throws LOG_DATABASE, and what `verifyCheckpoint` throws
 */
export async function openPostgresLog(options: PostgresLogOptions): Promise<Log> {
  const { database, origin, signer } = options
  const id = await database.transaction(async (query) => {
    await query('select pg_advisory_xact_lock($1)', [schemaLock])
    const known = await query("select to_regclass('sealift_log_entry') is not null as there", [])
    if (!known[0]?.there)
      for (const statement of schema.split(';')) if (statement.trim()) await query(statement, [])
    const find = 'select id from sealift_log where origin = $1'
    const [row] = await query(find, [origin])
    if (row) return row.id as number
    const note = await signNote(formatCheckpoint({ origin, size: 0, root: emptyRoot }), [signer])
    const insert = 'insert into sealift_log (origin, size, note) values ($1, 0, $2) returning id'
    return (await query(insert, [origin, note]))[0]?.id as number
  })
  const log = new PostgresLog(options, id)
  await log.checkpoint()
  return log
}

/** A log in a database, to read: as `readLog`. @throws LOG_NOT_FOUND, LOG_DATABASE */
export async function readPostgresLog({
  database,
  ...options
}: Omit<ReadLogOptions, 'store'> & Pick<PostgresLogOptions, 'database'>): Promise<LogReader> {
  const { origin } = options
  const [there] = await database.query("select to_regclass('sealift_log') is not null as there", [])
  const [row] = there?.there
    ? await database.query('select id from sealift_log where origin = $1', [origin])
    : []
  if (!row) throw failure('LOG_NOT_FOUND', `there is no log of ${origin} in the database`)
  return readLog({ ...options, store: postgresTiles(database.query, row.id as number) })
}

interface Head {
  readonly checkpoint: Checkpoint
  readonly edge: RightEdge
}

class PostgresLog implements Log {
  readonly #options: PostgresLogOptions
  readonly #id: number
  readonly #reader: LogReader
  readonly #witnessed = new Map<Cosigner, number>()
  readonly #group = new GroupCommit((entries) => this.#commit(entries))
  /** The last head of our own: of use where nobody else has appended since. */
  #head: Head | undefined

  constructor(options: PostgresLogOptions, id: number) {
    this.#options = options
    this.#id = id
    const store = postgresTiles(options.database.query, id)
    this.#reader = readLog({ store, ...this.#trust() })
  }

  append(entry: Uint8Array): Promise<Appended> {
    return this.#group.append(entry)
  }
  checkpoint(): Promise<Checkpoint> {
    return this.#reader.checkpoint()
  }
  entry(index: number): Promise<Uint8Array> {
    return this.#reader.entry(index)
  }
  entries(from: number, to?: number): ReturnType<LogReader['entries']> {
    return this.#reader.entries(from, to)
  }
  inclusionProof(index: number, size: number): Promise<readonly Uint8Array[]> {
    return this.#reader.inclusionProof(index, size)
  }
  consistencyProof(from: number, to: number): Promise<readonly Uint8Array[]> {
    return this.#reader.consistencyProof(from, to)
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.#group.close()
  }

  async #commit(entries: readonly Uint8Array[]): Promise<{ first: number; checkpoint: Checkpoint }> {
    const { cosigners = [] } = this.#options
    const head = await this.#transaction((query) => this.#extend(query, entries))
    this.#head = head
    const first = head.checkpoint.size - entries.length
    if (cosigners.length === 0) return { first, checkpoint: head.checkpoint }
    return { first, checkpoint: await this.#transaction((query) => this.#publish(query, head.checkpoint)) }
  }

  /** Goes on from the newest head, whoever wrote it. */
  async #extend(query: Query, entries: readonly Uint8Array[]): Promise<Head> {
    const { origin, signer, cosigners = [] } = this.#options
    const old = await this.#newest(query)
    const growth = extend(old.edge, entries)
    const tree = { size: growth.edge.size, root: edgeRoot(growth.edge) }
    await this.#insert(query, old.edge, entries, growth.added)
    const note = await signNote(formatCheckpoint({ origin, ...tree }), [signer])
    if (cosigners.length === 0) await this.#store(query, tree.size, note)
    else await query('update sealift_log set pending = $2 where id = $1', [this.#id, note])
    return { checkpoint: { origin, ...tree, note }, edge: growth.edge }
  }

  /**
   * Has the newest checkpoint cosigned and publishes it, which may cover more than `own`. What the witnesses are shown
   * is committed, so that nobody can go on from anything else, whatever happens between their answer and the commit.
   */
  async #publish(query: Query, own: Checkpoint): Promise<Checkpoint> {
    const { cosigners = [], quorum = cosigners.length } = this.#options
    const { note, pending } = await this.#locked(query)
    const checkpoint = verifyCheckpoint(pending ?? note, this.#trust())
    const tree = new VerifiedTree(postgresTiles(query, this.#id), checkpoint)
    await assertContinues(tree, own)
    if (pending === undefined) return checkpoint
    const lines = await askCosigners(cosigners, quorum, pending, tree, this.#witnessed)
    await this.#store(query, checkpoint.size, pending + lines)
    return { ...checkpoint, note: pending + lines }
  }

  #transaction<T>(act: (query: Query) => Promise<T>): Promise<T> {
    return this.#options.database.transaction(async (query) => {
      // An operator may have traded durability for speed; nothing is acknowledged on such terms.
      await query(
        "select set_config('synchronous_commit', 'on', true) where current_setting('synchronous_commit') = 'off'",
        [],
      )
      return act(query)
    })
  }

  /** The log's row, locked until the transaction ends. */
  async #locked(query: Query): Promise<{ note: string; pending: string | undefined }> {
    const [row] = await query('select note, pending from sealift_log where id = $1 for update', [this.#id])
    if (!row) throw failure('LOG_NOT_FOUND', `the log of ${this.#options.origin} is gone from the database`)
    return { note: row.note as string, pending: (row.pending as string | null) ?? undefined }
  }

  /** The head to go on from. */
  async #newest(query: Query): Promise<Head> {
    const { note, pending } = await this.#locked(query)
    const newest = pending ?? note
    // The same text may have got cosignatures meanwhile.
    if (this.#head && newest.startsWith(`${formatCheckpoint(this.#head.checkpoint)}\n`)) return this.#head
    const checkpoint = verifyCheckpoint(newest, this.#trust())
    const store = postgresTiles(query, this.#id)
    const edge = await loadEdge(store, checkpoint)
    if (this.#head) {
      await assertContinues(new VerifiedTree(store, checkpoint, undefined, edge), this.#head.checkpoint)
    }
    return { checkpoint, edge }
  }

  async #store(query: Query, size: number, note: string): Promise<void> {
    const update = 'update sealift_log set size = $2, note = $3, pending = null where id = $1'
    await query(update, [this.#id, size, note])
  }

  async #insert(
    query: Query,
    edge: RightEdge,
    entries: readonly Uint8Array[],
    added: readonly (readonly Uint8Array[])[],
  ): Promise<void> {
    // One value each, cut up by the server: drivers disagree on how arrays of bytes travel.
    let end = 1
    const starts = entries.map(({ length }) => {
      const start = end
      end += length
      return start
    })
    await query(
      `insert into sealift_log_entry select $1, $2::bigint + at - 1, substr($3::bytea, start, length)
       from unnest($4::text::integer[], $5::text::integer[]) with ordinality as t (start, length, at)`,
      [
        this.#id,
        edge.size,
        Buffer.concat(entries),
        `{${starts.join()}}`,
        `{${entries.map(({ length }) => length).join()}}`,
      ],
    )
    for (const [level, hashes] of added.entries()) {
      await query(
        `insert into sealift_log_hash select $1, $2, $3::bigint + at, substr($4::bytea, at * 32 + 1, 32)
         from generate_series(0, $5::integer - 1) as t (at)`,
        [this.#id, level, hashesAt(level, edge.size), Buffer.concat(hashes), hashes.length],
      )
    }
  }

  #trust() {
    const { origin, signer, verifiers = [] } = this.#options
    return { origin, verifiers: [noteVerifier(signer), ...verifiers] }
  }
}
