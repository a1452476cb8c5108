import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isFailure } from './error.ts'
import type { FileSystem } from './file-system.ts'
import { claim, isAbandoned } from './writer-claim.ts'

const pollMs = 10
/** A holder of which nobody can say whether it lives must touch its lock this often... */
const heartbeatMs = 5_000
/** ...and its lock is broken after so long without it. */
const silentMs = 20_000

/** Held from the moment one has it until it is released, or its process is gone. */
export interface DirectoryLock {
  /** Whether it is still ours: a process that stood still for long may have been taken for dead. */
  isHeld(): Promise<boolean>
  release(): Promise<void>
}

/**
 * Keeps every other writer, in this process or another, out of a directory that exists; undefined where a living
 * process holds it for longer than `waitMs`. A kill releases it.
 *
 * The lock is a directory `lock` that holds one file, named after its holder. To lock is to rename one's own
 * directory over it, which succeeds only where it is empty or absent; to unlock, or to break the lock of a dead
 * holder, is to remove the file of that name, which cannot hit anybody else's.
 *
 * @throws FILE_SYSTEM, and the signal's reason where it is aborted
 */
export async function lockDirectory(
  fs: FileSystem,
  directory: string,
  { waitMs, signal }: { readonly waitMs: number; readonly signal?: AbortSignal | undefined },
): Promise<DirectoryLock | undefined> {
  const mine = claim()
  const own = join(directory, `lock.${mine.name}`)
  const lock = join(directory, 'lock')
  const held = join(lock, mine.name)
  let heartbeat: NodeJS.Timeout | undefined
  const release = async (): Promise<void> => {
    clearInterval(heartbeat)
    // From here on others may clear away what is left, should this fail.
    mine.release()
    await fs.remove(held)
    await removeEmpty(fs, lock)
    await fs.remove(join(own, mine.name))
    await removeEmpty(fs, own)
  }
  try {
    // No lock outlives its holder, so none needs to be durable: that is most of what taking one would cost.
    await fs.makeDirectory(own, { isPassing: true })
    await (await fs.open(join(own, mine.name), 'exclusive')).close()
    for (let waitedMs = 0; !(await taken(fs, own, lock)); waitedMs += pollMs) {
      signal?.throwIfAborted()
      if (await breakAbandoned(fs, lock)) continue
      if (waitedMs >= waitMs) {
        await release()
        return undefined
      }
      await delay(pollMs)
    }
    heartbeat = setInterval(() => void fs.touch(held).catch(() => undefined), heartbeatMs).unref()
    await tidy(fs, directory)
  } catch (error) {
    await release().catch(() => undefined)
    throw error
  }
  return { isHeld: async () => (await fs.stat(held)) !== undefined, release }
}

async function taken(fs: FileSystem, own: string, lock: string): Promise<boolean> {
  try {
    await fs.rename(own, lock)
    return true
  } catch (error) {
    if (isFailure(error) && (error.detail.errno === 'ENOTEMPTY' || error.detail.errno === 'EEXIST'))
      return false
    throw error
  }
}

/** @returns whether the lock may be free now */
async function breakAbandoned(fs: FileSystem, lock: string): Promise<boolean> {
  let isBroken = false
  for (const { name } of await fs.list(lock)) {
    const stat = await fs.stat(join(lock, name))
    if (!stat || !isAbandoned(name, stat.modifiedMs, { silentMs })) continue
    await fs.remove(join(lock, name))
    isBroken = true
  }
  return isBroken
}

/** What waiting processes that were killed left. */
async function tidy(fs: FileSystem, directory: string): Promise<void> {
  for (const { name } of await fs.list(directory)) {
    const owner = /^lock\.(.+)$/.exec(name)?.[1]
    const stat = owner === undefined ? undefined : await fs.stat(join(directory, name))
    if (owner === undefined || !stat || !isAbandoned(owner, stat.modifiedMs)) continue
    await fs.remove(join(directory, name, owner))
    await removeEmpty(fs, join(directory, name))
  }
}

/** Removes a directory that nobody has put anything into meanwhile. */
async function removeEmpty(fs: FileSystem, path: string): Promise<void> {
  await fs.remove(path).catch((error: unknown) => {
    if (!isFailure(error) || error.detail.errno !== 'ENOTEMPTY') throw error
  })
}
