import type { KeyObject } from 'node:crypto'
import { Lru, limits } from '#base/index.ts'
import {
  connectPostgres,
  type Database,
  formatNoteKey,
  noteSigner,
  noteVerifier,
  openPostgresLog,
  parseNoteKey,
  readPostgresLog,
  type Tree,
} from '#log/index.ts'
import { type Digest, digestOf } from '#oci/index.ts'
import { failure } from '../codes.ts'
import { type AuditReader, auditOf, auditReader } from './audit.ts'
import type { OpenAudit } from './audit-directory.ts'
import type { Objects } from './objects.ts'

export interface PostgresPlace {
  /** `postgres://USER@HOST/DATABASE` */
  readonly url: string
  readonly password?: string
  readonly connections?: number
}

export interface PostgresAuditOptions extends PostgresPlace {
  /** The first line of the log's checkpoints, and the name of its key. */
  readonly origin: string
  /** The log's own Ed25519 private key, the same for all who append. */
  readonly key: KeyObject
}

const schema = [
  `CREATE TABLE IF NOT EXISTS sealift_audit_object (
    digest text COLLATE "C" PRIMARY KEY, bytes bytea NOT NULL)`,
  // What `log.vkey` is in a folder.
  `CREATE TABLE IF NOT EXISTS sealift_audit (
    origin text COLLATE "C" PRIMARY KEY, verifier_key text NOT NULL)`,
]
const remember = `INSERT INTO sealift_audit (origin, verifier_key) VALUES ($1, $2)
  ON CONFLICT (origin) DO UPDATE SET verifier_key = excluded.verifier_key
  WHERE sealift_audit.verifier_key <> excluded.verifier_key`

/**
 * An audit log in PostgreSQL with what its entries name beside it: for any number of processes that append at once.
 *
 * @throws LOG_DATABASE, and what `openPostgresLog` throws
 */
export async function openPostgresAudit({
  url,
  password,
  origin,
  key,
  connections = 4,
}: PostgresAuditOptions): Promise<OpenAudit> {
  await using stack = new AsyncDisposableStack()
  const database = stack.use(
    await connectPostgres(url, { connections, ...(password !== undefined && { password }) }),
  )
  await database.transaction(async (query) => {
    // CREATE ... IF NOT EXISTS is no lock: two that begin at once would collide in the catalogue.
    await query("SELECT pg_advisory_xact_lock(hashtext('sealift_audit_object'))", [])
    for (const statement of schema) await query(statement, [])
  })
  const signer = noteSigner(origin, key)
  const log = stack.use(await openPostgresLog({ database, origin, signer }))
  // Only now: a key that the log does not know was refused before.
  await database.query(remember, [origin, formatNoteKey(signer)])
  const running = stack.move()
  return {
    ...auditOf(log, new PostgresObjects(database)),
    verifierKey: formatNoteKey(signer),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** An audit log that was opened to read, and the key by which it is believed. */
export interface OpenAuditReader extends AuditReader, AsyncDisposable {
  readonly verifierKey: string
}

/**
 * An audit log in PostgreSQL, to read; nothing is written there. Without a verifier key it is the one log in the
 * database, by the key that is told there.
 *
 * @throws AUDIT_NOT_IN_DATABASE, LOG_DATABASE, and what `readPostgresLog` throws
 */
export async function readPostgresAudit(
  { url, password, connections = 2 }: PostgresPlace,
  { verifierKey: given, remembered }: { readonly verifierKey?: string; readonly remembered?: Tree } = {},
): Promise<OpenAuditReader> {
  await using stack = new AsyncDisposableStack()
  const database = stack.use(
    await connectPostgres(url, { connections, ...(password !== undefined && { password }) }),
  )
  const verifierKey = given ?? (await onlyVerifierKey(database))
  const key = parseNoteKey(verifierKey)
  const log = await readPostgresLog({
    database,
    origin: key.name,
    verifiers: [noteVerifier(key)],
    ...(remembered && { remembered }),
  })
  const running = stack.move()
  return {
    ...auditReader(log, new PostgresObjects(database)),
    verifierKey,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

async function onlyVerifierKey(database: Database): Promise<string> {
  const [found] = await database.query("SELECT to_regclass('sealift_audit') IS NOT NULL AS there", [])
  const rows = found?.there ? await database.query('SELECT verifier_key FROM sealift_audit LIMIT 2', []) : []
  if (rows.length === 1) return rows[0]!.verifier_key as string
  const what = rows.length === 0 ? 'no audit log' : 'several audit logs'
  throw failure('AUDIT_NOT_IN_DATABASE', `there ${rows.length === 0 ? 'is' : 'are'} ${what} in the database`)
}

/** Objects in rows by their digest. A row is never changed; what is read is held against its digest all the same. */
class PostgresObjects implements Objects {
  readonly #database: Database
  /** What is known to be there: most questions are about the same evidence under the same policy. */
  readonly #kept = new Lru<Digest, true>(limits.knownDigests)

  constructor(database: Database) {
    this.#database = database
  }

  async keep(bytes: Uint8Array): Promise<Digest> {
    const digest = digestOf(bytes)
    if (this.#kept.get(digest)) return digest
    await this.#database.query(
      'INSERT INTO sealift_audit_object (digest, bytes) VALUES ($1, $2) ON CONFLICT DO NOTHING',
      [digest, bytes],
    )
    this.#kept.set(digest, true)
    return digest
  }

  async read(digest: Digest): Promise<Uint8Array> {
    const select = 'SELECT bytes FROM sealift_audit_object WHERE digest = $1 AND octet_length(bytes) <= $2'
    const [row] = await this.#database.query(select, [digest, limits.auditObjectBytes])
    if (!row) throw failure('AUDIT_OBJECT_MISSING', `${digest} is not there`)
    const bytes = row.bytes as Uint8Array
    if (digestOf(bytes) !== digest)
      throw failure('AUDIT_OBJECT_MISSING', `the bytes of ${digest} are not what its digest says`)
    return bytes
  }
}
