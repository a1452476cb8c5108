import { parseAccessRules } from '#access/index.ts'
import { evidenceVerifiers } from '#attestation/index.ts'
import { type FileSystem, limits, nodeFileSystem, secretLimits } from '#base/index.ts'
import { failure } from '../codes.ts'
import type { BrokerConfiguration } from '../configuration/types.ts'
import { identityOf } from '../identity.ts'
import { readBrokerConfiguration } from '../open-broker.ts'
import { openKeyring, pathIn, readFileIn } from '../open-keyring.ts'
import { openPackages } from '../packages/index.ts'
import { openStatementTrust } from '../references/index.ts'
import { openPlace, type StorePlace } from '../resource/index.ts'
import { type Keyring, sealedStore } from '../stores/index.ts'
import { readTrustedTokens } from '../token-keys/index.ts'
import type { SecretStore } from '../types.ts'
import { checkState } from './check-state.ts'
import { type Finding, Findings } from './findings.ts'
import { unwrittenStore } from './unwritten-store.ts'

export interface CheckOptions {
  readonly fs?: FileSystem
  readonly at?: Date
}

export interface CheckedBroker {
  readonly findings: readonly Finding[]
  /** Where it could be read: what is left to check is what listens. */
  readonly configuration?: BrokerConfiguration
}

/**
 * All that can be said of a broker without serving. Nothing in it is changed; a server may be running. What is missing
 * because nothing needed it yet (a store without a secret) is no problem.
 */
export async function checkBroker(directory: string, options: CheckOptions = {}): Promise<CheckedBroker> {
  const { fs = nodeFileSystem, at = new Date() } = options
  const findings = new Findings()
  let configuration: BrokerConfiguration
  try {
    configuration = await readBrokerConfiguration(directory, fs)
    findings.ok('configuration', `tokens are issued by ${configuration.issuer}`)
  } catch (error) {
    findings.wrong('configuration', error)
    return { findings: findings.all }
  }
  const { tees, access, trustedTokens = [], references } = configuration
  await findings.look('tees', () => {
    evidenceVerifiers(tees)
    const told = tees.map((tee) => (tee.startsWith('sample') ? `${tee} (proves nothing)` : tee))
    if (told.length > 0) return told.join(', ')
    throw failure('BROKER_TEE_OFF', 'no TEE is switched on: no guest can prove itself')
  })
  await findings.look('access', async () => {
    const bytes = await readFileIn(directory, access, limits.accessRulesBytes + 1, fs)
    const { grants } = parseAccessRules(Buffer.from(bytes).toString())
    return `grants: ${grants.length}`
  })
  const readFile = (path: string, most: number) => readFileIn(directory, path, most, fs)
  if (trustedTokens.length > 0)
    await findings.look('trustedTokens', async () => {
      const trusted = await readTrustedTokens(trustedTokens, readFile)
      return `tokens of ${trusted.map(({ issuer }) => issuer).join(', ')} count too`
    })
  if (references)
    await findings.look('references/statements', async () => {
      await openStatementTrust(directory, references.statements, fs)
      return 'signers of statements can be checked'
    })
  let keyring: Keyring
  try {
    keyring = await openKeyring(directory, configuration.keyring, fs)
    findings.ok('keyring', `it opens; keys in it: ${keyring.keys.size}; ${keyring.activeId} seals`)
  } catch (error) {
    findings.wrong('keyring', error)
    return { findings: findings.all, configuration }
  }
  await checkStored({ directory, fs, at, configuration, keyring, findings })
  return { findings: findings.all, configuration }
}

interface Parts {
  readonly directory: string
  readonly fs: FileSystem
  readonly at: Date
  readonly configuration: BrokerConfiguration
  readonly keyring: Keyring
  readonly findings: Findings
}

async function checkStored(parts: Parts): Promise<void> {
  const { directory, fs, at, configuration, keyring, findings } = parts
  await using stack = new AsyncDisposableStack()
  let state: SecretStore | undefined
  await findings.look('state', async () => {
    const { state: place } = configuration
    if (await isAbsent(parts, place))
      throw failure('BROKER_STATE_MISSING', 'the state is not there: policies, keys and leases are lost')
    const store = sealedStore(await openPlace(place, { directory, fs }, stack), keyring, { name: 'state' })
    const told = await opens(store)
    state = unwrittenStore(store)
    return told
  })
  if (state) await checkState(state, configuration, at, findings)

  let given: ReadonlyMap<string, SecretStore> | undefined
  const { packages = [], resources, identity } = configuration
  if (packages.length > 0 && state) {
    const own = { state, identity: identityOf(identity) }
    await findings.look('packages', async () => {
      given = stack.use(await openPackages(packages, directory, own)).stores
      return packages.map(({ kind, name }) => `${kind} ${name}`).join(', ')
    })
  }
  for (const [name, { place, sealed = true }] of Object.entries(resources.stores)) {
    if (place.kind === 'given' && !given) continue
    await findings.look(`stores/${name}`, async () => {
      if (place.kind !== 'given' && (await isAbsent(parts, place))) return 'it is made with its first secret'
      const store =
        place.kind === 'given' ? given!.get(name)! : await openPlace(place, { directory, fs }, stack)
      return await opens(sealed ? sealedStore(store, keyring, { name }) : store)
    })
  }
}

/** Opening it would make it. */
async function isAbsent({ directory, fs }: Parts, place: Exclude<StorePlace, { kind: 'given' }>) {
  return place.kind !== 'postgres' && !(await fs.stat(pathIn(directory, place.path)))
}

/** Reads a page of values: whether the store answers, and the keyring opens what is in it. */
async function opens(store: SecretStore): Promise<string> {
  const keys = await store.list('', { limit: secretLimits.pageKeys })
  for (const key of keys) (await store.read(key))?.value.fill(0)
  return `it opens; ${keys.length < secretLimits.pageKeys ? 'values' : 'of its values so many were looked at'}: ${keys.length}`
}
