import { formatCheckpoint, verifyCheckpoint } from './checkpoint.ts'
import { failure } from './codes.ts'
import { edgeRoot, extend, loadEdge, type RightEdge } from './edge.ts'
import { GroupCommit } from './group-commit.ts'
import { emptyRoot } from './hash.ts'
import { signNote } from './note.ts'
import { noteVerifier } from './note-key.ts'
import type { LogIdentity } from './open-log.ts'
import type { Database, Query } from './postgres-database.ts'
import { postgresTiles, schema } from './postgres-tiles.ts'
import { assertContinues, readLog } from './read-log.ts'
import { hashesAt } from './tiles.ts'
import type { Appended, Checkpoint, Log, LogReader } from './types.ts'
import { VerifiedTree } from './verified-tree.ts'

/** Witnesses are for a log with one writer: between their answer and the commit nobody else may append. */
export interface PostgresLogOptions extends Omit<LogIdentity, 'cosigners' | 'quorum'> {
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

class PostgresLog implements Log {
  readonly #options: PostgresLogOptions
  readonly #id: number
  readonly #reader: LogReader
  readonly #group = new GroupCommit((entries) => this.#commit(entries))
  /** The last head of our own: of use where nobody else has appended since. */
  #head: { readonly checkpoint: Checkpoint; readonly edge: RightEdge } | undefined

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
    const { origin, signer, database } = this.#options
    const head = await database.transaction(async (query) => {
      // An operator may have traded durability for speed; nothing is acknowledged on such terms.
      await query(
        "select set_config('synchronous_commit', 'on', true) where current_setting('synchronous_commit') = 'off'",
        [],
      )
      const { checkpoint: old, edge } = await this.#locked(query)
      const growth = extend(edge, entries)
      const tree = { size: growth.edge.size, root: edgeRoot(growth.edge) }
      await this.#insert(query, old.size, edge, entries, growth.added)
      const note = await signNote(formatCheckpoint({ origin, ...tree }), [signer])
      await query('update sealift_log set size = $2, note = $3 where id = $1', [this.#id, tree.size, note])
      return { checkpoint: { origin, ...tree, note }, edge: growth.edge }
    })
    this.#head = head
    return { first: head.checkpoint.size - entries.length, checkpoint: head.checkpoint }
  }

  /** The newest head, its row locked until the transaction ends. */
  async #locked(query: Query): Promise<{ checkpoint: Checkpoint; edge: RightEdge }> {
    const [row] = await query('select note from sealift_log where id = $1 for update', [this.#id])
    if (!row) throw failure('LOG_NOT_FOUND', `the log of ${this.#options.origin} is gone from the database`)
    const note = row.note as string
    if (this.#head?.checkpoint.note === note) return this.#head
    const checkpoint = verifyCheckpoint(note, this.#trust())
    const store = postgresTiles(query, this.#id)
    const edge = await loadEdge(store, checkpoint)
    if (this.#head) {
      await assertContinues(new VerifiedTree(store, checkpoint, undefined, edge), this.#head.checkpoint)
    }
    return { checkpoint, edge }
  }

  async #insert(
    query: Query,
    size: number,
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
        size,
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
