import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { type FileSystem, secretLimits } from '#base/index.ts'
import { failure } from './codes.ts'
import type { BrokerConfiguration } from './configuration/types.ts'
import { pathIn, readFileIn } from './open-keyring.ts'
import { openPlace } from './resource/index.ts'
import { MemorySessions, openPostgresSessions, type SessionStore } from './sessions/index.ts'
import { type ChangingKeyring, sealedStore } from './stores/index.ts'
import type { SecretStore } from './types.ts'

/** Where decisions and readings are written down. */
export type AuditPlace =
  | { readonly kind: 'files'; readonly directory: string }
  | { readonly kind: 'postgres'; readonly url: string; readonly password?: string; readonly key: KeyObject }

/** The state: policies, reference values, keys, leases; sealed. */
export async function openState(
  directory: string,
  { state }: BrokerConfiguration,
  keyring: ChangingKeyring,
  fs: FileSystem,
  stack: AsyncDisposableStack,
): Promise<SecretStore> {
  const store = await openPlace(state, { directory, fs }, stack)
  return sealedStore(store, keyring, { name: 'state' })
}

/** Sessions of this process, or of all replicas. */
export async function openSessions(
  directory: string,
  { sessions = {}, state }: BrokerConfiguration,
  fs: FileSystem,
): Promise<SessionStore> {
  const most = sessions.most === undefined ? {} : { most: sessions.most }
  if (sessions.kind !== 'postgres' || state.kind !== 'postgres') return new MemorySessions(most)
  const { url, password } = await databaseOf(directory, state, fs)
  const named = state.name === undefined ? {} : { name: state.name }
  return openPostgresSessions(url, { ...named, ...most, ...(password !== undefined && { password }) })
}

/** Where the audit log is; the key of a shared one is in the state. */
export async function auditPlace(
  directory: string,
  { audit, state }: BrokerConfiguration,
  store: SecretStore,
  fs: FileSystem,
): Promise<AuditPlace> {
  if (audit.kind === 'files') return { kind: 'files', directory: pathIn(directory, audit.path) }
  if (state.kind !== 'postgres')
    throw failure('BROKER_CONFIGURATION_INVALID', 'the audit log is in PostgreSQL only where the state is')
  const database = await databaseOf(directory, state, fs)
  return { kind: 'postgres', ...database, key: await logKey(store) }
}

async function databaseOf(
  directory: string,
  { url, passwordFile }: Extract<BrokerConfiguration['state'], { kind: 'postgres' }>,
  fs: FileSystem,
): Promise<{ readonly url: string; readonly password?: string }> {
  if (passwordFile === undefined) return { url }
  const bytes = await readFileIn(directory, passwordFile, secretLimits.textLength, fs)
  return { url, password: Buffer.from(bytes).toString().split(/\r?\n/, 1)[0]! }
}

const logKeyPlace = 'audit/log-key'

/** The key of the shared log, made by one of all replicas. */
async function logKey(store: SecretStore): Promise<KeyObject> {
  let stored = await store.read(logKeyPlace)
  if (!stored) {
    const { privateKey } = generateKeyPairSync('ed25519')
    const bytes = privateKey.export({ format: 'der', type: 'pkcs8' })
    await store.compareAndSet(logKeyPlace, undefined, bytes)
    bytes.fill(0)
    stored = await store.read(logKeyPlace)
  }
  return createPrivateKey({ key: Buffer.from(stored!.value), format: 'der', type: 'pkcs8' })
}
