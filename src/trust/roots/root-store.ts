import { join } from 'node:path'
import {
  canonicalJson,
  type FileSystem,
  lockDirectory,
  nodeFileSystem,
  readUpTo,
  replaceFile,
} from '#base/index.ts'
import { failure } from '../codes.ts'
import type { TrustMaterial } from '../types.ts'
import { parseTrustedRoot } from '../verify/trusted-root.ts'
import { checkRootName, formatRoot, parseRoot, recordBytes, type StoredRoot } from './root-record.ts'

const suffix = '.json'
const lockWaitMs = 10_000

/** The trusted roots of one machine: a folder with one file for each, replaced in one step. */
export class RootStore {
  readonly #directory: string
  readonly #fs: FileSystem

  constructor(directory: string, fs: FileSystem = nodeFileSystem) {
    this.#directory = directory
    this.#fs = fs
  }

  /** All of them, by name. @throws TRUST_STORE_DAMAGED, FILE_SYSTEM */
  async list(): Promise<readonly StoredRoot[]> {
    const entries = await this.#fs.list(this.#directory)
    const names = entries.flatMap(({ name, kind }) =>
      kind === 'file' && name.endsWith(suffix) ? [name.slice(0, -suffix.length)] : [],
    )
    const all = await Promise.all(names.map((name) => this.find(name)))
    return all.flatMap((stored) => stored ?? [])
  }

  /** @throws TRUST_ROOT_NAME_INVALID, TRUST_STORE_DAMAGED, FILE_SYSTEM */
  async find(name: string): Promise<StoredRoot | undefined> {
    const path = this.#pathOf(name)
    const stat = await this.#fs.stat(path)
    if (!stat) return undefined
    if (stat.sizeBytes > recordBytes) throw failure('TRUST_STORE_DAMAGED', `${path} is too large`)
    const file = await this.#fs.open(path, 'read')
    try {
      return parseRoot(await readUpTo(file, recordBytes), name)
    } finally {
      await file.close()
    }
  }

  /** What proofs are judged against: the roots alone. @throws as `list` */
  async material(): Promise<TrustMaterial> {
    const roots = (await this.list()).map(({ name, root, issuers }) => ({
      name,
      root,
      ...(issuers && { issuers }),
    }))
    return { keys: [], roots }
  }

  /**
   * Puts what `change` makes of the stored root (undefined: there is none yet) in its place, unless it would go back:
   * a root that came with a version gives way to a higher one only. Nobody else changes it meanwhile.
   *
   * @throws TRUST_ROOT_ROLLED_BACK, TRUST_ROOT_INVALID, TRUST_STORE_BUSY, DISK_FULL, FILE_SYSTEM, and what `change`
   *   throws
   */
  async update(
    name: string,
    change: (before: StoredRoot | undefined) => Promise<StoredRoot>,
    { signal, mayGoBack = false }: { readonly signal?: AbortSignal; readonly mayGoBack?: boolean } = {},
  ): Promise<StoredRoot> {
    const path = this.#pathOf(name)
    await this.#fs.makeDirectory(this.#directory)
    const lock = await lockDirectory(this.#fs, this.#directory, { waitMs: lockWaitMs, signal })
    if (!lock) throw failure('TRUST_STORE_BUSY', `another process is changing ${this.#directory}`)
    try {
      const before = await this.find(name)
      const after = await change(before)
      parseTrustedRoot(after)
      if (before && !mayGoBack) refuseStepBack(before, after)
      await replaceFile(this.#fs, path, formatRoot(after))
      return after
    } finally {
      await lock.release()
    }
  }

  #pathOf(name: string): string {
    return join(this.#directory, `${checkRootName(name)}${suffix}`)
  }
}

function refuseStepBack(before: StoredRoot, after: StoredRoot): void {
  const { origin } = before
  if (origin.kind === 'file') return
  if (
    after.origin.kind !== origin.kind ||
    ('mirror' in origin && 'mirror' in after.origin && origin.mirror !== after.origin.mirror)
  ) {
    throw failure(
      'TRUST_ROOT_EXISTS',
      `the trusted root ${before.name} is kept up to date in another way (${origin.kind})`,
      { hint: 'Give it another --name, or put it in place on purpose with --replace.' },
    )
  }
  if (after.origin.version > origin.version) return
  const isSame = Buffer.compare(canonicalJson(after.root), canonicalJson(before.root)) === 0
  if (after.origin.version === origin.version && isSame) return
  throw failure(
    'TRUST_ROOT_ROLLED_BACK',
    `the trusted root ${before.name} is of version ${origin.version}, and version ${after.origin.version} ` +
      (isSame || after.origin.version < origin.version ? 'is older' : 'with another content is offered'),
  )
}
