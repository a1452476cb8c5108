import { brokerLimits, Lru, secretLimits } from '#base/index.ts'
import type { Policy, PolicyFile } from '#policy/index.ts'
import { Remembered } from '../remembered.ts'
import type { SecretStore } from '../types.ts'
import { failure } from './codes.ts'
import { compileBrokerPolicy } from './compile-broker-policy.ts'
import { policyName } from './policy-name.ts'
import type { ActivePolicy, PolicyBook, PolicyName, PolicyVersion } from './types.ts'
import { formatHead, formatVersion, parseHead, parseVersion } from './version-record.ts'

export interface PolicyBookOptions {
  /** A change by another replica is seen within. */
  readonly refreshMs?: number
}

const prefix = 'policies'
const headOf = (name: PolicyName) => `${prefix}/${name}/head`
const versionsOf = (name: PolicyName) => `${prefix}/${name}/versions/`
const keyOf = (name: PolicyName, version: number) => versionsOf(name) + String(version).padStart(9, '0')

/**
 * Policies in a broker's state. A version is written under a number of its own and never changed; then the head says
 * that it is in force. Killed between the two, the one before stays in force, and the number is not used again.
 *
 * @param store the sealed state
 */
export class StoredPolicies implements PolicyBook {
  readonly #store: SecretStore
  readonly #refreshMs: number
  readonly #active = new Map<PolicyName, Remembered<ActivePolicy | undefined>>()
  readonly #compiled = new Lru<string, Policy>(64)

  constructor(store: SecretStore, { refreshMs = 1000 }: PolicyBookOptions = {}) {
    this.#store = store
    this.#refreshMs = refreshMs
  }

  active(name: PolicyName): Promise<ActivePolicy | undefined> {
    let remembered = this.#active.get(name)
    if (!remembered) {
      remembered = new Remembered(() => this.#readActive(name), this.#refreshMs)
      this.#active.set(name, remembered)
    }
    return remembered.get()
  }

  async names(): Promise<readonly PolicyName[]> {
    const names: PolicyName[] = []
    for (let after: string | undefined; ; ) {
      const keys = await this.#store.list(`${prefix}/`, after === undefined ? {} : { after })
      for (const key of keys)
        if (key.endsWith('/head')) names.push(policyName(key.slice(prefix.length + 1, -5).split('/')))
      after = keys.at(-1)
      if (after === undefined) return names
    }
  }

  async versions(name: PolicyName, signal?: AbortSignal): Promise<readonly PolicyVersion[]> {
    const keys = await this.#keys(name)
    const versions = await Promise.all(keys.map((key) => this.#store.read(key, signal)))
    return versions.flatMap((stored) => (stored ? parseVersion(name, stored.value) : [])).reverse()
  }

  async set(
    name: PolicyName,
    files: readonly PolicyFile[],
    by: string,
    at: Date,
    signal?: AbortSignal,
  ): Promise<PolicyVersion> {
    return this.#add(name, { files, by, at }, signal)
  }

  async rollback(
    name: PolicyName,
    to: number | undefined,
    by: string,
    at: Date,
    signal?: AbortSignal,
  ): Promise<PolicyVersion> {
    const head = await this.#store.read(headOf(name), signal)
    if (!head) throw notFound(name)
    const current = parseHead(name, head.value)
    const wanted = to ?? (await this.#before(name, current, signal))
    const stored = await this.#store.read(keyOf(name, wanted), signal)
    if (!stored) throw failure('POLICY_NOT_FOUND', `the policy ${name} has no version ${wanted}`)
    const { files } = parseVersion(name, stored.value)
    return this.#add(name, { files, by, at, rollbackOf: wanted }, signal)
  }

  /** The version that was in force before: of one that is a rollback itself, the one before what it went back to. */
  async #before(name: PolicyName, version: number, signal?: AbortSignal): Promise<number> {
    const stored = await this.#store.read(keyOf(name, version), signal)
    const from = (stored && parseVersion(name, stored.value).rollbackOf) ?? version
    const before = (await this.#keys(name)).findLast((key) => key < keyOf(name, from))
    if (!before) throw failure('POLICY_NOT_FOUND', `there is no version of ${name} before ${from}`)
    return Number(before.slice(versionsOf(name).length))
  }

  async #add(
    name: PolicyName,
    terms: Pick<PolicyVersion, 'files' | 'by' | 'at' | 'rollbackOf'>,
    signal?: AbortSignal,
  ): Promise<PolicyVersion> {
    const { digest } = compileBrokerPolicy(name, terms.files)
    for (let attempt = 0; attempt < secretLimits.attempts; attempt++) {
      const head = await this.#store.read(headOf(name), signal)
      const keys = await this.#keys(name)
      const last = keys.at(-1)
      const number = Math.max(
        head ? parseHead(name, head.value) : 0,
        last === undefined ? 0 : Number(last.slice(versionsOf(name).length)),
      )
      const added: PolicyVersion = { ...terms, name, version: number + 1, digest }
      const isOurs = await this.#store.compareAndSet(
        keyOf(name, added.version),
        undefined,
        formatVersion(added),
        signal,
      )
      if (isOurs === undefined) continue
      // Whoever put another one in force meanwhile wins: nobody's change goes over one that they have not seen.
      const bytes = formatHead(added.version)
      if ((await this.#store.compareAndSet(headOf(name), head?.revision, bytes, signal)) === undefined)
        continue
      this.#active.get(name)?.forget()
      await this.#removeOld(name, keys)
      return added
    }
    throw failure('POLICY_BUSY', `others change the policy ${name} all the time`)
  }

  async #removeOld(name: PolicyName, keys: readonly string[]): Promise<void> {
    for (const key of keys.slice(0, Math.max(0, keys.length + 1 - brokerLimits.policyVersions))) {
      const stored = await this.#store.read(key)
      if (stored) await this.#store.compareAndSet(key, stored.revision, null)
    }
    this.#active.get(name)?.forget()
  }

  async #readActive(name: PolicyName): Promise<ActivePolicy | undefined> {
    const head = await this.#store.read(headOf(name))
    if (!head) return undefined
    const version = parseHead(name, head.value)
    const stored = await this.#store.read(keyOf(name, version))
    if (!stored) throw failure('POLICY_RECORD_INVALID', `version ${version} of the policy ${name} is gone`)
    const { files, digest } = parseVersion(name, stored.value)
    const known = this.#compiled.get(`${name} ${digest}`)
    const policy = known ?? compileBrokerPolicy(name, files)
    if (!known) this.#compiled.set(`${name} ${digest}`, policy)
    return { name, version, policy }
  }

  async #keys(name: PolicyName): Promise<string[]> {
    const keys: string[] = []
    for (let after: string | undefined; ; ) {
      const page = await this.#store.list(versionsOf(name), after === undefined ? {} : { after })
      keys.push(...page)
      after = page.at(-1)
      if (after === undefined) return keys
    }
  }
}

const notFound = (name: PolicyName) => failure('POLICY_NOT_FOUND', `there is no policy ${name}`)
