import type { KeyObject } from 'node:crypto'
import { Lru, limits } from '#base/index.ts'
import { connectPostgres, type Database, formatNoteKey, noteSigner, openPostgresLog } from '#log/index.ts'
import { type Digest, digestOf } from '#oci/index.ts'
import { failure } from '../codes.ts'
import { auditOf } from './audit.ts'
import type { OpenAudit } from './audit-directory.ts'
import type { Objects } from './objects.ts'

export interface PostgresAuditOptions {
  /** `postgres://USER@HOST/DATABASE` */
  readonly url: string
  readonly password?: string
  /** The first line of the log's checkpoints, and the name of its key. */
  readonly origin: string
  /** The log's own Ed25519 private key, the same for all who append. */
  readonly key: KeyObject
  readonly connections?: number
}

const schema = `CREATE TABLE IF NOT EXISTS sealift_audit_object (
  digest text COLLATE "C" PRIMARY KEY, bytes bytea NOT NULL)`

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
    await query(schema, [])
  })
  const signer = noteSigner(origin, key)
  const log = stack.use(await openPostgresLog({ database, origin, signer }))
  const running = stack.move()
  return {
    ...auditOf(log, new PostgresObjects(database)),
    verifierKey: formatNoteKey(signer),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
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
    const [row] = await this.#database.query('SELECT bytes FROM sealift_audit_object WHERE digest = $1', [
      digest,
    ])
    if (!row) throw failure('AUDIT_OBJECT_MISSING', `${digest} is not there`)
    const bytes = Uint8Array.from(row.bytes as Uint8Array)
    if (digestOf(bytes) !== digest)
      throw failure('AUDIT_OBJECT_MISSING', `the bytes of ${digest} are not what its digest says`)
    return bytes
  }
}
