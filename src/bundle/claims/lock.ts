import { join } from 'node:path'
import { type FileSystem, isFailure, type Json, limits, parseJson, replaceFile } from '#base/index.ts'
import { isObject } from '#oci/index.ts'
import { failure } from '../codes.ts'
import { isAlive, type ProcessIdentity } from '../drivers/process-identity.ts'
import { readWhole } from './read-whole.ts'

/** Who holds a lock; the world in which a process is alive comes in, so that a test can end it. */
export interface LockWorld {
  readonly fileSystem: FileSystem
  readonly self: ProcessIdentity
  readonly isAlive?: (owner: ProcessIdentity) => boolean
  /** A name that no other process uses. */
  readonly newId: () => string
}

const name = (generation: number) => `lock-${String(generation).padStart(10, '0')}`

/**
 * One holder at a time per directory. A lock is a file `lock-N`, and only the greatest N counts: it is free once
 * its content says so, or its holder is dead. Whoever takes it links `lock-(N+1)`, which only one can, and removes
 * the lower ones; the greatest is never removed. So where one who looked long ago and acts late finds its number
 * free again, there is a greater one, and it must look again after it linked.
 */
export class InstallationLock implements AsyncDisposable {
  readonly #world: LockWorld
  readonly #directory: string
  readonly #generation: number

  private constructor(world: LockWorld, directory: string, generation: number) {
    this.#world = world
    this.#directory = directory
    this.#generation = generation
  }

  /** @throws INSTALLATION_BUSY */
  static async acquire(directory: string, world: LockWorld): Promise<InstallationLock> {
    const { fileSystem, newId } = world
    await fileSystem.makeDirectory(directory)
    const greatest = await current(directory, fileSystem)
    const owner = greatest === 0 ? undefined : await ownerOf(join(directory, name(greatest)), fileSystem)
    if (owner && (world.isAlive ?? isAlive)(owner)) throw busy(owner)
    const temporary = join(directory, `.lock-${newId()}`)
    await write(world, temporary, { ...world.self })
    try {
      await fileSystem.link(temporary, join(directory, name(greatest + 1)))
    } catch (error) {
      if (isFailure(error) && error.detail.errno === 'EEXIST') throw busy()
      throw error
    } finally {
      await fileSystem.remove(temporary)
    }
    await fileSystem.syncDirectory(directory)
    const generations = (await fileSystem.list(directory)).map((entry) => generationOf(entry.name))
    if (Math.max(...generations) > greatest + 1) {
      await fileSystem.remove(join(directory, name(greatest + 1)))
      throw busy()
    }
    for (const generation of generations) {
      if (generation > 0 && generation <= greatest) await fileSystem.remove(join(directory, name(generation)))
    }
    return new InstallationLock(world, directory, greatest + 1)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { fileSystem, newId } = this.#world
    const path = join(this.#directory, name(this.#generation))
    await replaceFile(fileSystem, path, Buffer.from('{}'), join(this.#directory, `.lock-${newId()}`))
  }
}

/** Whether somebody who is alive holds the lock. */
export async function isLocked(
  directory: string,
  world: Pick<LockWorld, 'fileSystem' | 'isAlive'>,
): Promise<boolean> {
  const greatest = await current(directory, world.fileSystem)
  const owner = greatest === 0 ? undefined : await ownerOf(join(directory, name(greatest)), world.fileSystem)
  return owner !== undefined && (world.isAlive ?? isAlive)(owner)
}

async function current(directory: string, fileSystem: FileSystem): Promise<number> {
  return Math.max(0, ...(await fileSystem.list(directory)).map((entry) => generationOf(entry.name)))
}

const generationOf = (file: string): number => (/^lock-\d{10}$/.test(file) ? Number(file.slice(5)) : 0)

async function write(world: LockWorld, path: string, content: Json): Promise<void> {
  const file = await world.fileSystem.open(path, 'exclusive')
  try {
    await file.write(Buffer.from(JSON.stringify(content)), 0)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Undefined where it was let go, or is too damaged to name anybody. */
async function ownerOf(path: string, fileSystem: FileSystem): Promise<ProcessIdentity | undefined> {
  const bytes = await readWhole(fileSystem, path)
  if (!bytes || bytes.length === 0) return undefined
  try {
    const value = parseJson(bytes, { maxBytes: limits.answerBytes })
    if (!isObject(value)) return undefined
    const { bootId, pid, startTicks } = value
    if (typeof bootId !== 'string' || typeof pid !== 'number' || typeof startTicks !== 'string')
      return undefined
    return { bootId, pid, startTicks }
  } catch {
    return undefined
  }
}

function busy(owner?: ProcessIdentity) {
  const who = owner ? ` (process ${owner.pid})` : ''
  return failure('INSTALLATION_BUSY', `another operation on this installation is under way${who}`)
}
