import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { isFailure, nodeFileSystem } from '#base/index.ts'
import { stateDirectory } from '#bundle/index.ts'
import {
  type AuditReader,
  DirectoryObjects,
  type OpenAudit,
  openAudit,
  readAudit,
  SharedAudit,
} from '#gate/index.ts'
import { formatNoteKey, noteKey, noteVerifier, parseNoteKey, type Tree } from '#log/index.ts'
import { failure } from '../codes.ts'
import type { Context } from '../context.ts'
import { writeNew } from '../files.ts'
import type { Settings } from '../settings.ts'
import type { GateFlags } from './flags.ts'

/** Where decisions are recorded: a flag over the setting over a folder in the state directory. */
export function auditDirectory(
  context: Context,
  settings: Settings,
  flags: Pick<GateFlags, 'audit'>,
): string {
  if (flags.audit !== undefined) {
    if (isDatabase(flags.audit))
      throw failure('USAGE', 'what commands decide is recorded in a folder: --audit names no database here')
    return resolve(context.cwd, flags.audit)
  }
  return settings.auditDir ?? join(settings.stateDir ?? stateDirectory(context.env), 'audit')
}

/** Whether an audit log lies in a database and not in a folder. */
export const isDatabase = (place: string): boolean => /^postgres(ql)?:\/\//.test(place)

/** Whether the address of a database has a password in it, which an argument must not. @throws USAGE where it is none */
export function hasPassword(place: string): boolean {
  if (!URL.canParse(place)) throw failure('USAGE', 'that is no address of a database')
  const { password, searchParams } = new URL(place)
  return password !== '' || searchParams.has('password')
}

const keyName = 'log.key'
const verifierName = 'log.vkey'

/**
 * Opens the audit folder to write to, and makes it with a key of its own where it is not there.
 *
 * @throws AUDIT_KEY_INVALID, LOG_BUSY, FILE_SYSTEM, and the codes of `openLog`
 */
export async function openAuditPlace(directory: string, signal: AbortSignal): Promise<OpenAudit> {
  const { key, origin } = await logKey(directory)
  return openAudit({ directory, origin, key, signal })
}

/**
 * The audit folder for a server, which shares it with commands and other servers: it takes the log only while it has
 * something to write. Opened once now, so that what is wrong with it is told before the first request.
 *
 * @throws as `openAuditPlace`
 */
export async function shareAuditPlace(directory: string): Promise<SharedAudit> {
  const { key, origin } = await logKey(directory)
  const open = () => openAudit({ directory, origin, key })
  await (await open())[Symbol.asyncDispose]()
  return new SharedAudit({ open, objects: new DirectoryObjects(join(directory, 'objects'), nodeFileSystem) })
}

/**
 * Opens the audit folder to read, believing the key that lies in it where none is given.
 *
 * @throws AUDIT_NOT_FOUND, NOTE_KEY_INVALID, and the codes of `readLog`
 */
export async function readAuditPlace(
  directory: string,
  { verifierKey: given, remembered }: { readonly verifierKey?: string; readonly remembered?: Tree } = {},
): Promise<AuditReader & { readonly verifierKey: string }> {
  const verifierKey = given ?? (await readText(join(directory, verifierName)))?.trim()
  if (verifierKey === undefined) throw failure('AUDIT_NOT_FOUND', `there is no audit log in ${directory}`)
  const key = parseNoteKey(verifierKey)
  const trust = { origin: key.name, verifiers: [noteVerifier(key)] }
  return { ...readAudit({ directory, ...trust, ...(remembered && { remembered }) }), verifierKey }
}

async function logKey(directory: string): Promise<{ key: KeyObject; origin: string }> {
  const pem = await readText(join(directory, keyName))
  if (pem === undefined) return makeKey(directory)
  const verifier = await readText(join(directory, verifierName))
  try {
    const key = createPrivateKey(pem)
    // A kill between the two files leaves the key alone: its name is made again.
    const origin = verifier === undefined ? originOf(key) : parseNoteKey(verifier.trim()).name
    const expected = formatNoteKey(noteKey(origin, key))
    if (verifier !== undefined && verifier.trim() !== expected) throw new Error('log.vkey is of another key')
    if (verifier === undefined) await writeFirst(join(directory, verifierName), `${expected}\n`, 0o644)
    return { key, origin }
  } catch (cause) {
    if (isFailure(cause, 'FILE_SYSTEM')) throw cause
    throw failure('AUDIT_KEY_INVALID', `the key of the audit log in ${directory} cannot be used`, { cause })
  }
}

async function makeKey(directory: string): Promise<{ key: KeyObject; origin: string }> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const { privateKey: key } = generateKeyPairSync('ed25519')
  const pem = key.export({ format: 'pem', type: 'pkcs8' }) as string
  if (!(await writeFirst(join(directory, keyName), pem, 0o600))) return logKey(directory)
  const origin = originOf(key)
  await writeFirst(join(directory, verifierName), `${formatNoteKey(noteKey(origin, key))}\n`, 0o644)
  return { key, origin }
}

/** A name that no other log has: this machine's, and the beginning of the key's hash. */
function originOf(key: KeyObject): string {
  const host = hostname()
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]/g, '-')
  const id = noteKey('sealift', key).keyId.toString(16).padStart(8, '0')
  return `${host || 'localhost'}/sealift/audit/${id}`
}

/** False where somebody else was first. */
async function writeFirst(path: string, text: string, mode: number): Promise<boolean> {
  try {
    await writeNew(path, Buffer.from(text), mode)
    return true
  } catch (error) {
    if (isFailure(error, 'FILE_EXISTS')) return false
    throw error
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  }
}
