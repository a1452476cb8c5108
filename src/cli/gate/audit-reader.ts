import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type OpenAuditReader, readPostgresAudit } from '#gate/index.ts'
import { type Checkpoint, noteVerifier, parseNoteKey, verifyCheckpoint } from '#log/index.ts'
import { failure } from '../codes.ts'
import type { AuditFlags } from '../commands/audit.ts'
import type { Context } from '../context.ts'
import { readPassword } from '../password.ts'
import type { Settings } from '../settings.ts'
import { auditDirectory, hasPassword, isDatabase, readAuditPlace } from './audit-place.ts'
import { textOrFile } from './text-or-file.ts'

const passwordVariable = 'SEALIFT_AUDIT_PASSWORD'

/**
 * The audit log that the flags name, in a folder or a PostgreSQL database, to read.
 *
 * @param checkpoint file with an earlier checkpoint, which the log must continue
 * @throws USAGE, AUDIT_NOT_FOUND, AUDIT_NOT_IN_DATABASE, NOTE_KEY_INVALID, the codes of `verifyCheckpoint`, `readLog`
 *   and `readPassword`
 */
export async function openAuditReader(
  context: Context,
  settings: Settings,
  flags: AuditFlags,
  checkpoint?: string,
): Promise<OpenAuditReader & { readonly earlier?: Checkpoint }> {
  const given = flags.logKey === undefined ? undefined : (await textOrFile(context, flags.logKey)).trim()
  const open = (earlier?: Checkpoint): Promise<OpenAuditReader> => {
    const trust = {
      ...(given !== undefined && { verifierKey: given }),
      ...(earlier && { remembered: earlier }),
    }
    if (flags.audit !== undefined && isDatabase(flags.audit))
      return inDatabase(context, flags.audit, flags, trust)
    return inFolder(auditDirectory(context, settings, flags), trust)
  }
  if (checkpoint === undefined) return open()
  const note = await readFile(resolve(context.cwd, checkpoint))
  const key = parseNoteKey(given ?? (await verifierKeyOf(open)))
  const earlier = verifyCheckpoint(note, { origin: key.name, verifiers: [noteVerifier(key)] })
  return { ...(await open(earlier)), earlier }
}

async function verifierKeyOf(open: () => Promise<OpenAuditReader>): Promise<string> {
  await using audit = await open()
  return audit.verifierKey
}

async function inFolder(
  directory: string,
  trust: Parameters<typeof readAuditPlace>[1],
): Promise<OpenAuditReader> {
  return { ...(await readAuditPlace(directory, trust)), [Symbol.asyncDispose]: async () => undefined }
}

async function inDatabase(
  context: Context,
  url: string,
  flags: AuditFlags,
  trust: Parameters<typeof readPostgresAudit>[1],
): Promise<OpenAuditReader> {
  if (hasPassword(url))
    throw failure(
      'USAGE',
      `a password is no argument: give it in ${passwordVariable} or --audit-password-file`,
    )
  const { auditPasswordFile: passwordFile } = flags
  const password =
    passwordFile === undefined
      ? context.env[passwordVariable]
      : await readPassword(context, { passwordFile }, { of: 'the audit database' })
  return readPostgresAudit({ url, ...(password !== undefined && { password }) }, trust)
}
