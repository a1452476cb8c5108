import type { KeyObject } from 'node:crypto'
import { join } from 'node:path'
import { type FileSystem, nodeFileSystem } from '#base/index.ts'
import {
  type Cosigner,
  directoryTiles,
  type FolderLog,
  formatNoteKey,
  noteSigner,
  openLog,
  type ReadLogOptions,
  readLog,
} from '#log/index.ts'
import { type Audit, type AuditReader, auditOf, auditReader } from './audit.ts'
import { DirectoryObjects } from './objects.ts'

export interface AuditDirectoryOptions {
  readonly directory: string
  /** The first line of the log's checkpoints, and the name of its key. */
  readonly origin: string
  /** The log's own Ed25519 private key: for nothing else. */
  readonly key: KeyObject
  readonly cosigners?: readonly Cosigner[]
  readonly fs?: FileSystem
  readonly signal?: AbortSignal
  /** How long to wait for another writer to end. */
  readonly waitMs?: number
}

/** An audit folder that is open for writing: `log/` in C2SP's tiles, `objects/` beside it. */
export interface OpenAudit extends Audit, AuditReader, AsyncDisposable {
  /** The log's verifier key in C2SP's text form: what the other side of a gap needs of it. */
  readonly verifierKey: string
}

/** An audit folder that can be left to other writers for a while: as `FolderLog` of the log room. */
export interface FolderAudit extends OpenAudit, Pick<FolderLog, 'rest' | 'take'> {}

/** @throws LOG_BUSY, and what `openLog` throws */
export async function openAudit(options: AuditDirectoryOptions): Promise<FolderAudit> {
  const { directory, origin, key, cosigners, fs = nodeFileSystem, signal, waitMs } = options
  const signer = noteSigner(origin, key)
  const log = await openLog({
    directory: join(directory, 'log'),
    origin,
    signer,
    fs,
    ...(cosigners && { cosigners }),
    ...(signal && { signal }),
    ...(waitMs !== undefined && { waitMs }),
  })
  return {
    ...auditOf(log, new DirectoryObjects(join(directory, 'objects'), fs)),
    verifierKey: formatNoteKey(signer),
    rest: () => log.rest(),
    take: () => log.take(),
    [Symbol.asyncDispose]: () => log[Symbol.asyncDispose](),
  }
}

export interface ReadAuditOptions extends Pick<ReadLogOptions, 'origin' | 'verifiers' | 'remembered'> {
  readonly directory: string
  readonly fs?: FileSystem
}

/** An audit folder, to read: believes what a checkpoint of one of these keys covers. */
export function readAudit({ directory, fs = nodeFileSystem, ...trust }: ReadAuditOptions): AuditReader {
  const store = directoryTiles(join(directory, 'log'), fs)
  return auditReader(readLog({ store, ...trust }), new DirectoryObjects(join(directory, 'objects'), fs))
}
