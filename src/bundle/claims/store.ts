import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  canonicalJson,
  type FileSystem,
  fileSystemFailure,
  nodeFileSystem,
  type OpenFile,
  replaceFile,
} from '#base/index.ts'
import { type Digest, digestHex, digestOf } from '#oci/index.ts'
import { failure } from '../codes.ts'
import { identityOf, type ProcessIdentity } from '../drivers/process-identity.ts'
import { type Claim, parseClaim, parseResult, type Result } from './claim.ts'
import { type IdSource, idSource } from './ids.ts'
import { InstallationLock, isLocked, type LockWorld } from './lock.ts'
import { readWhole } from './read-whole.ts'
import { checkInstallationName } from './state-directory.ts'

export interface ClaimStoreOptions {
  readonly fileSystem?: FileSystem
  readonly ids?: IdSource
  /** Milliseconds since 1970. */
  readonly now?: () => number
  readonly isAlive?: (owner: ProcessIdentity) => boolean
}

/** An action and how far it came. */
export interface ClaimRecord {
  readonly claim: Claim
  /** The last one; none where the process ended before it wrote the first. */
  readonly result?: Result
}

/**
 * What is known of installations, in files: one folder each, with claims/ID.json, results/ID.json, outputs/HEX by
 * their digest, and logs/CLAIM-ID. Claims and results are written once and never changed (400). Credentials never
 * come here.
 */
export class ClaimStore {
  readonly directory: string
  readonly #ids: IdSource
  readonly #now: () => number
  readonly #fileSystem: FileSystem
  readonly #world: LockWorld

  constructor(directory: string, options: ClaimStoreOptions = {}) {
    const { fileSystem = nodeFileSystem, now = Date.now, ids = idSource(now), isAlive } = options
    this.directory = directory
    this.#ids = ids
    this.#now = now
    this.#fileSystem = fileSystem
    const self = identityOf() ?? { bootId: '', pid: process.pid, startTicks: '' }
    this.#world = { fileSystem, newId: () => ids.next(), self, ...(isAlive && { isAlive }) }
  }

  /** Makes the directory on the real disk, where only its owner may look: parameters may be secrets. */
  static async open(directory: string, options: ClaimStoreOptions = {}): Promise<ClaimStore> {
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      await chmod(directory, 0o700)
    } catch (error) {
      throw fileSystemFailure(directory, error)
    }
    return new ClaimStore(directory, options)
  }

  /** A ULID greater than all that were made or read here. */
  newId(): string {
    return this.#ids.next()
  }

  /** The moment, as claims and results write it. */
  moment(): string {
    return new Date(this.#now()).toISOString()
  }

  /** @throws INSTALLATION_BUSY, INSTALLATION_NAME */
  lock(installation: string): Promise<InstallationLock> {
    return InstallationLock.acquire(this.#path(installation), this.#world)
  }

  isLocked(installation: string): Promise<boolean> {
    return isLocked(this.#path(installation), this.#world)
  }

  /** Names in byte order. */
  async installations(): Promise<string[]> {
    const entries = await this.#fileSystem.list(join(this.directory, 'installations'))
    const names: string[] = []
    for (const { name, kind } of entries) {
      if (kind === 'directory' && (await this.#names(name, 'claims')).length > 0) names.push(name)
    }
    return names
  }

  /** All that is known of an installation, oldest first. @throws INSTALLATION_NOT_FOUND, CLAIM_INVALID */
  async history(installation: string): Promise<ClaimRecord[]> {
    const claims = await this.#names(installation, 'claims')
    if (claims.length === 0)
      throw failure('INSTALLATION_NOT_FOUND', `there is no installation ${installation}`)
    const results = new Map<string, Result>()
    for (const id of await this.#names(installation, 'results')) {
      const result = parseResult(await this.#read(installation, 'results', id))
      results.set(result.claimId, result)
    }
    const records: ClaimRecord[] = []
    for (const id of claims) {
      const claim = parseClaim(await this.#read(installation, 'claims', id))
      const result = results.get(claim.id)
      records.push(result ? { claim, result } : { claim })
    }
    return records
  }

  addClaim(claim: Claim): Promise<void> {
    return this.#write(claim.installation, 'claims', `${claim.id}.json`, canonicalJson(claim))
  }

  addResult(installation: string, result: Result): Promise<void> {
    return this.#write(installation, 'results', `${result.id}.json`, canonicalJson(result))
  }

  /** Keeps the value of an output under its digest. */
  async addOutput(installation: string, value: Uint8Array): Promise<Digest> {
    const digest = digestOf(value)
    await this.#write(installation, 'outputs', digestHex(digest), value)
    return digest
  }

  /** @throws CLAIM_INVALID where it is gone or damaged */
  async output(installation: string, digest: Digest): Promise<Uint8Array> {
    const bytes = await readWhole(
      this.#fileSystem,
      join(this.#path(installation), 'outputs', digestHex(digest)),
    )
    if (bytes && digestOf(bytes) === digest) return bytes
    throw failure('CLAIM_INVALID', `a stored output of ${installation} is gone or damaged: ${digest}`)
  }

  /** A new log, empty. */
  async openLog(installation: string, claimId: string): Promise<OpenFile> {
    const directory = join(this.#path(installation), 'logs')
    await this.#fileSystem.makeDirectory(directory)
    const file = await this.#fileSystem.open(join(directory, claimId), 'exclusive')
    await this.#fileSystem.syncDirectory(directory)
    return file
  }

  /** The log of a claim, to be closed by the caller; undefined where there is none. */
  async readLog(installation: string, claimId: string): Promise<OpenFile | undefined> {
    const path = join(this.#path(installation), 'logs', claimId)
    return (await this.#fileSystem.stat(path)) ? this.#fileSystem.open(path, 'read') : undefined
  }

  async #names(installation: string, kind: 'claims' | 'results'): Promise<string[]> {
    const entries = await this.#fileSystem.list(join(this.#path(installation), kind))
    const ids = entries
      .filter(({ name }) => /^[0-7][0-9A-HJKMNP-TV-Z]{25}\.json$/.test(name))
      .map(({ name }) => name.slice(0, -5))
    const last = ids.at(-1)
    if (last !== undefined) this.#ids.after(last)
    return ids
  }

  async #read(installation: string, kind: 'claims' | 'results', id: string): Promise<Uint8Array> {
    const bytes = await readWhole(this.#fileSystem, join(this.#path(installation), kind, `${id}.json`))
    if (!bytes) throw failure('CLAIM_INVALID', `a stored file of ${installation} is gone: ${kind}/${id}`)
    return bytes
  }

  async #write(installation: string, kind: string, name: string, bytes: Uint8Array): Promise<void> {
    const directory = join(this.#path(installation), kind)
    await this.#fileSystem.makeDirectory(directory)
    await replaceFile(this.#fileSystem, join(directory, name), bytes, join(directory, `.${this.newId()}`))
  }

  #path(installation: string): string {
    return join(this.directory, 'installations', checkInstallationName(installation))
  }
}
