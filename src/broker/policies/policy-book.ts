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
  /** Versions of one policy that are kept: the oldest go. */
  readonly most?: number
}

const prefix = 'policies'
const headOf = (name: PolicyName) => `${prefix}/${name}/head`
const versionsOf = (name: PolicyName) => `${prefix}/${name}/versions/`
const keyOf = (name: PolicyName, version: number) => versionsOf(name) + String(version).padStart(9, '0')
const numberIn = (name: PolicyName, key: string) => Number(key.slice(versionsOf(name).length))

/**
 * Policies in a broker's state. A version is written under a number of its own and never changed; then the head says
 * that it is in force. Killed between the two, the one before stays in force; the number is not used again, and no
 * rollback leads to what never was in force.
 *
 * @param store the sealed state
 */
export class StoredPolicies implements PolicyBook {
  readonly #store: SecretStore
  readonly #refreshMs: number
  readonly #most: number
  readonly #active = new Map<PolicyName, Remembered<ActivePolicy | undefined>>()
  readonly #compiled = new Lru<string, Policy>(64)

  constructor(
    store: SecretStore,
    { refreshMs = 1000, most = brokerLimits.policyVersions }: PolicyBookOptions = {},
  ) {
    this.#store = store
    this.#refreshMs = refreshMs
    this.#most = most
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

  async read(name: PolicyName, version?: number, signal?: AbortSignal): Promise<PolicyVersion> {
    let wanted = version
    if (wanted === undefined) {
      const head = await this.#store.read(headOf(name), signal)
      if (!head) throw notFound(name)
      wanted = parseHead(name, head.value)
    }
    const stored = await this.#store.read(keyOf(name, wanted), signal)
    if (!stored) throw failure('POLICY_NOT_FOUND', `the policy ${name} has no version ${wanted}`)
    return parseVersion(name, stored.value)
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
    const wanted = to ?? (await this.#before(name, parseHead(name, head.value), signal))
    const { files, version, rollbackOf = version } = await this.read(name, wanted, signal)
    return this.#add(name, { files, by, at, rollbackOf }, signal)
  }

  /** The version that was in force before: of one that is a rollback itself, before the one that it went back to. */
  async #before(name: PolicyName, version: number, signal?: AbortSignal): Promise<number> {
    const { rollbackOf, replaces } = await this.read(name, version, signal)
    const before = rollbackOf === undefined ? replaces : (await this.read(name, rollbackOf, signal)).replaces
    if (before !== undefined) return before
    throw failure('POLICY_NOT_FOUND', `no version of ${name} was in force before ${rollbackOf ?? version}`)
  }

  async #add(
    name: PolicyName,
    terms: Pick<PolicyVersion, 'files' | 'by' | 'at' | 'rollbackOf'>,
    signal?: AbortSignal,
  ): Promise<PolicyVersion> {
    const { digest } = compileBrokerPolicy(name, terms.files)
    try {
      for (let attempt = 0; attempt < secretLimits.attempts; attempt++) {
        const added = await this.#tryAdd({ ...terms, name, digest }, signal)
        if (added) return added
      }
    } finally {
      // Also where it failed in between: nobody knows then what is there now.
      this.#active.get(name)?.forget()
    }
    throw failure('POLICY_BUSY', `others change the policy ${name} all the time`)
  }

  /** @returns undefined where somebody was faster */
  async #tryAdd(
    terms: Omit<PolicyVersion, 'version' | 'replaces'>,
    signal?: AbortSignal,
  ): Promise<PolicyVersion | undefined> {
    const { name } = terms
    const head = await this.#store.read(headOf(name), signal)
    const replaces = head && parseHead(name, head.value)
    const keys = await this.#keys(name)
    const last = keys.at(-1)
    const version = 1 + Math.max(replaces ?? 0, last === undefined ? 0 : numberIn(name, last))
    const added: PolicyVersion = { ...terms, version, ...(replaces && { replaces }) }
    const key = keyOf(name, version)
    const written = await this.#store.compareAndSet(key, undefined, formatVersion(added), signal)
    if (written === undefined) return undefined
    // Only over the one that it says it replaces: whoever was faster is read again.
    const bytes = formatHead(version)
    const isInForce = await this.#store.compareAndSet(headOf(name), head?.revision, bytes, signal)
    if (isInForce === undefined) {
      await this.#store.compareAndSet(key, written, null)
      return undefined
    }
    // What stays this time goes with the next change.
    await this.#removeOld(keys).catch(() => undefined)
    return added
  }

  async #removeOld(keys: readonly string[]): Promise<void> {
    for (const key of keys.slice(0, Math.max(0, keys.length + 1 - this.#most))) {
      const stored = await this.#store.read(key)
      if (stored) await this.#store.compareAndSet(key, stored.revision, null)
    }
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
