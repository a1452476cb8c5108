import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { ulid } from 'ulid'
import { fileSystemFailure, limits, parseJson } from '#base/index.ts'
import { removeTree } from '#image/index.ts'
import { isObject } from '#oci/index.ts'
import { identityOf, isAlive, type ProcessIdentity, processesIn } from './process-identity.ts'

const tmpfsMagic = 0x01021994

/**
 * One run's folder: its root file system and its outputs, with a second folder, in memory where the machine has
 * such a place, for files that may hold secrets. Nothing in them outlives the run, but for the root file system
 * where the run tool left processes that live in it. None of it is durable state: `sweep` removes what a killed
 * run left.
 */
export class WorkFolder implements AsyncDisposable {
  readonly path: string
  /** For the files of the contract. Only its owner may enter. */
  readonly stage: string

  private constructor(path: string, stage: string) {
    this.path = path
    this.stage = stage
  }

  /** @throws DISK_FULL, FILE_SYSTEM */
  static make(directory: string): WorkFolder {
    const name = ulid().toLowerCase()
    const path = join(directory, name)
    const memory = memoryDirectory()
    const stage = memory ? join(memory, `sealift-${name}`) : join(path, 'stage')
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 })
      mkdirSync(path, 0o700)
      writeFileSync(join(path, 'owner.json'), JSON.stringify({ ...identityOf(), stage }), { mode: 0o600 })
      mkdirSync(stage, 0o700)
      mkdirSync(join(path, 'outputs'), 0o755)
    } catch (error) {
      throw fileSystemFailure(path, error)
    }
    return new WorkFolder(path, stage)
  }

  get rootfs(): string {
    return join(this.path, 'rootfs')
  }
  get outputs(): string {
    return join(this.path, 'outputs')
  }
  /** Where a driver whose processes may stay notes their mount namespace. */
  get namespaceNote(): string {
    return join(this.path, 'mount-namespace')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    removeTree(this.stage)
    // Once the last process in it is gone, `sweep` removes it, though this one may still live.
    if (isInhabited(this.path)) writeFileSync(join(this.path, 'owner.json'), '{}')
    else removeTree(this.path)
  }
}

/** Removes what killed runs left in `directory`, and root file systems whose last process is gone. */
export function sweep(directory: string): void {
  const names = existsSync(directory) ? readdirSync(directory) : []
  for (const name of names) {
    if (!/^[0-9a-z]{26}$/.test(name)) continue
    const path = join(directory, name)
    const owner = ownerOf(path)
    if (owner && isAlive(owner)) continue
    if (owner?.stage.endsWith(`/sealift-${name}`)) removeTree(owner.stage)
    if (!isInhabited(path)) removeTree(path)
  }
}

function isInhabited(path: string): boolean {
  const note = join(path, 'mount-namespace')
  if (!existsSync(note)) return false
  const namespace = readFileSync(note, 'latin1').trim()
  return namespace !== '' && processesIn(namespace).length > 0
}

function ownerOf(path: string): (ProcessIdentity & { stage: string }) | undefined {
  try {
    const value = parseJson(readFileSync(join(path, 'owner.json')), { maxBytes: limits.answerBytes })
    if (!isObject(value)) return undefined
    const { bootId, pid, startTicks, stage } = value
    if (typeof bootId !== 'string' || typeof pid !== 'number' || typeof startTicks !== 'string')
      return undefined
    return typeof stage === 'string' ? { bootId, pid, startTicks, stage } : undefined
  } catch {
    return undefined
  }
}

/** A place whose files never reach a disk, if there is one to write to. */
function memoryDirectory(): string | undefined {
  return ['/dev/shm', '/run'].find((path) => {
    try {
      accessSync(path, constants.W_OK | constants.X_OK)
      return statfsSync(path).type === tmpfsMagic
    } catch {
      return false
    }
  })
}
