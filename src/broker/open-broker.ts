import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { rolesFor } from '#access/index.ts'

import { evidenceVerifiers, protocolVersions } from '#attestation/index.ts'
import { brokerLimits, type FileSystem, limits, nodeFileSystem, secretLimits } from '#base/index.ts'
import { type Audit, type AuditReader, PolicyGate } from '#gate/index.ts'
import { watchRules } from './admin/changing-rules.ts'
import { Broker } from './broker.ts'
import { failure } from './codes.ts'
import { parseBrokerConfiguration } from './configuration/parse-configuration.ts'
import type { BrokerConfiguration } from './configuration/types.ts'
import type { AdminHandlers, BrokerFace } from './face.ts'
import { identityOf } from './identity.ts'
import { openNebula } from './nebula/index.ts'
import { pathIn, readFileIn, watchKeyring } from './open-keyring.ts'
import { openPackages } from './packages/index.ts'
import { openPki } from './pki/index.ts'
import { policiesAdministration, recordedRequests, StoredPolicies } from './policies/index.ts'
import { openStatementTrust, referencesAdministration, StoredReferences } from './references/index.ts'
import { openPlace, openStores, resourcePlugin } from './resource/index.ts'
import { MemorySessions, openPostgresSessions, type SessionStore } from './sessions/index.ts'
import { type ChangingKeyring, sealedStore } from './stores/index.ts'
import { openTokenKeys, readTrustedTokens, tokenKeysAdministration } from './token-keys/index.ts'
import type { Plugin, SecretStore } from './types.ts'

/** Where decisions and readings are written down. */
export type AuditPlace =
  | { readonly kind: 'files'; readonly directory: string }
  | { readonly kind: 'postgres'; readonly url: string; readonly password?: string; readonly key: KeyObject }

/** An audit log that is open for writing, and can be read. */
export interface OpenedAudit extends AsyncDisposable {
  readonly audit: Audit
  readonly read: () => Promise<AuditReader>
}

export interface OpenBrokerOptions {
  /** Opens the audit log: folders and keys are laid out by whoever starts the broker. */
  readonly openAudit: (place: AuditPlace) => Promise<OpenedAudit>
  /** Of this software, told in tokens. */
  readonly build?: string
  readonly fs?: FileSystem
  readonly now?: () => Date
}

/** A broker that answers; nothing listens yet. */
export interface OpenedBroker extends AsyncDisposable {
  readonly face: BrokerFace
  readonly configuration: BrokerConfiguration
  readonly directory: string
}

export const configurationName = 'broker.yaml'

/** @throws BROKER_CONFIGURATION_INVALID, RESOURCE_CONFIGURATION_INVALID, FILE_SYSTEM */
export async function readBrokerConfiguration(
  directory: string,
  fs: FileSystem = nodeFileSystem,
): Promise<BrokerConfiguration> {
  const bytes = await readFileIn(directory, configurationName, secretLimits.configurationBytes + 1, fs)
  return parseBrokerConfiguration(Buffer.from(bytes).toString())
}

/**
 * Opens the broker of a directory: its keyring, stores, keys and log. Any number of processes may have the same one
 * open; what they share they share through the stores.
 *
 * @throws the codes of the configuration, keyrings and stores, and what `openAudit` throws
 */
export async function openBroker(directory: string, options: OpenBrokerOptions): Promise<OpenedBroker> {
  const { fs = nodeFileSystem, now = () => new Date(), build = 'sealift', openAudit } = options
  await using stack = new AsyncDisposableStack()
  const configuration = await readBrokerConfiguration(directory, fs)
  const { issuer, resources, nebula: nebulaTerms, pki: pkiTerms } = configuration
  const keyring = await watchKeyring(directory, configuration.keyring, fs)
  const state = await openState(directory, configuration, keyring, fs, stack)
  const tokenSeconds = configuration.tokenSeconds ?? brokerLimits.tokenSeconds
  const others = await readTrustedTokens(configuration.trustedTokens ?? [], (path, most) =>
    readFileIn(directory, path, most, fs),
  )
  const tokenKeys = await openTokenKeys(state, { issuer, tokenMs: tokenSeconds * 1000, others, now })
  const opened = stack.use(await openAudit(await auditPlace(directory, configuration, state, fs)))
  const policies = new StoredPolicies(state)
  const references = new StoredReferences(state)
  const identity = identityOf(configuration.identity)
  const packages = stack.use(await openPackages(configuration.packages ?? [], directory, { state, identity }))
  const stores = stack.use(await openStores(resources, { directory, keyring, fs, given: packages.stores }))
  const rules = await watchRules(() =>
    readFileIn(directory, configuration.access, limits.accessRulesBytes + 1, fs),
  )
  const plugins = new Map<string, Plugin>(packages.plugins)
  const statements = configuration.references
    ? await openStatementTrust(directory, configuration.references.statements, fs)
    : undefined
  const administration: AdminHandlers[] = [
    tokenKeysAdministration(tokenKeys),
    policiesAdministration(policies, recordedRequests(opened.read, references)),
    referencesAdministration(references, statements),
  ]
  const resource = resourcePlugin({
    configuration: { version: 1, ...resources },
    stores: stores.stores,
    rolesOf: (principal, repository) => rolesFor(rules.last, principal, repository),
  })
  plugins.set(resource.name, resource)
  if (nebulaTerms) {
    const nebula = stack.use(await openNebula(state, nebulaTerms, { identity, now }))
    plugins.set(nebula.plugin.name, nebula.plugin)
    administration.push(nebula.administration)
  }
  const pki = pkiTerms && openPki(state, pkiTerms, { identity })
  if (pki) {
    plugins.set(pki.plugin.name, pki.plugin)
    administration.push(pki.administration)
  }
  const face = new Broker({
    verifiers: evidenceVerifiers(configuration.tees),
    protocols: configuration.protocols ?? protocolVersions,
    allowRsa15: configuration.rsa1_5 ?? false,
    issuer,
    tokenSeconds,
    sessionSeconds: configuration.sessions?.seconds ?? brokerLimits.sessionSeconds,
    sessions: stack.use(await openSessions(directory, configuration, fs)),
    tokenKeys,
    policies,
    references,
    gate: new PolicyGate({ audit: opened.audit }),
    identity,
    build,
    plugins,
    administration,
    audit: opened.audit,
    rules: () => rules.newest(),
    ...(pki && { certificateCaller: (certificate, at) => pki.certificateCaller(certificate, at) }),
    notReady: (signal) => notReady(state, signal),
    now,
  })
  const running = stack.move()
  return { face, configuration, directory, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

async function openState(
  directory: string,
  { state }: BrokerConfiguration,
  keyring: ChangingKeyring,
  fs: FileSystem,
  stack: AsyncDisposableStack,
): Promise<SecretStore> {
  const store = await openPlace(state, { directory, fs }, stack)
  return sealedStore(store, keyring, { name: 'state' })
}

async function openSessions(
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

async function auditPlace(
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

async function notReady(state: SecretStore, signal: AbortSignal): Promise<string | undefined> {
  try {
    await state.read('ready/probe', signal)
    return undefined
  } catch {
    return 'the state of the broker cannot be read'
  }
}
