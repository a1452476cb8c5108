import { evidenceVerifiers, protocolVersions } from '#attestation/index.ts'
import { brokerLimits, type FileSystem, limits, nodeFileSystem, secretLimits } from '#base/index.ts'
import { type Audit, type AuditReader, PolicyGate } from '#gate/index.ts'
import { watchRules } from './admin/changing-rules.ts'
import { Broker } from './broker.ts'
import { parseBrokerConfiguration } from './configuration/parse-configuration.ts'
import type { BrokerConfiguration } from './configuration/types.ts'
import type { BrokerFace } from './face.ts'
import { identityOf } from './identity.ts'
import { readFileIn, watchKeyring } from './open-keyring.ts'
import { type AuditPlace, auditPlace, openSessions, openState } from './open-places.ts'
import { openPlugins } from './open-plugins.ts'
import { policiesAdministration, recordedRequests, StoredPolicies } from './policies/index.ts'
import { openStatementTrust, referencesAdministration, StoredReferences } from './references/index.ts'
import { openTokenKeys, readTrustedTokens, tokenKeysAdministration } from './token-keys/index.ts'
import type { SecretStore } from './types.ts'

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
  const { issuer } = configuration
  const keyring = await watchKeyring(directory, configuration.keyring, fs)
  const state = await openState(directory, configuration, keyring, fs, stack)
  const tokenSeconds = configuration.tokenSeconds ?? brokerLimits.tokenSeconds
  const others = await readTrustedTokens(configuration.trustedTokens ?? [], (path, most) =>
    readFileIn(directory, path, most, fs),
  )
  const tokenKeys = await openTokenKeys(state, { issuer, tokenMs: tokenSeconds * 1000, others, now })
  const log = stack.use(await openAudit(await auditPlace(directory, configuration, state, fs)))
  const policies = new StoredPolicies(state)
  const references = new StoredReferences(state)
  const identity = identityOf(configuration.identity)
  const rules = await watchRules(() =>
    readFileIn(directory, configuration.access, limits.accessRulesBytes + 1, fs),
  )
  const statements = configuration.references
    ? await openStatementTrust(directory, configuration.references.statements, fs)
    : undefined
  const opened = stack.use(
    await openPlugins(configuration, {
      ...{ directory, state, keyring, identity, fs, now },
      rules: () => rules.last,
    }),
  )
  const { plugins, pki } = opened
  const administration = [
    tokenKeysAdministration(tokenKeys),
    policiesAdministration(policies, recordedRequests(log.read, references)),
    referencesAdministration(references, statements),
    ...opened.administration,
  ]
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
    gate: new PolicyGate({ audit: log.audit }),
    identity,
    build,
    plugins,
    administration,
    audit: log.audit,
    rules: () => rules.newest(),
    ...(pki && { certificateCaller: (certificate, at) => pki.certificateCaller(certificate, at) }),
    notReady: (signal) => notReady(state, signal),
    now,
  })
  const running = stack.move()
  return { face, configuration, directory, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

async function notReady(state: SecretStore, signal: AbortSignal): Promise<string | undefined> {
  try {
    await state.read('ready/probe', signal)
    return undefined
  } catch {
    return 'the state of the broker cannot be read'
  }
}
