import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { baseFailure, type FileSystem, isFailure } from '#base/index.ts'
import { claim, isAbandoned } from './writer-claim.ts'

const waitMs = 60_000
const pollMs = 10
/** A lock is held for moments: one of which nobody can say whether its holder lives is broken after so long. */
const silentMs = 30_000

/**
 * Runs `act` while no other writer, in this process or another, is between reading and replacing the same file.
 *
 * The lock is a directory that holds one file, named after its holder. To lock is to rename one's own directory
 * over it, which succeeds only where it is empty or absent; to unlock, or to break the lock of a dead holder, is
 * to remove the file of that name, which cannot hit anybody else's.
 *
 * @throws FILE_SYSTEM where a living process holds it for a minute
 */
export async function withIndexLock<T>(
  fs: FileSystem,
  directory: string,
  act: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const mine = claim()
  const own = join(directory, `lock.${mine.name}`)
  const lock = join(directory, 'lock')
  try {
    await fs.makeDirectory(own)
    await (await fs.open(join(own, mine.name), 'exclusive')).close()
    for (let waitedMs = 0; !(await taken(fs, own, lock)); waitedMs += pollMs) {
      signal?.throwIfAborted()
      await breakAbandoned(fs, lock)
      if (waitedMs >= waitMs) {
        throw baseFailure('FILE_SYSTEM', `${lock} has been held by another process for a minute`)
      }
      await setTimeout(pollMs)
    }
    await tidy(fs, directory)
    return await act()
  } finally {
    // From here on others may clear away what is left, should this fail.
    mine.release()
    await fs.remove(join(lock, mine.name))
    await removeEmpty(fs, lock)
    await fs.remove(join(own, mine.name))
    await removeEmpty(fs, own)
  }
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

async function breakAbandoned(fs: FileSystem, lock: string): Promise<void> {
  for (const { name } of await fs.list(lock)) {
    const stat = await fs.stat(join(lock, name))
    if (stat && isAbandoned(name, stat.modifiedMs, { silentMs })) await fs.remove(join(lock, name))
  }
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
