import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { baseFailure, type FileSystem, isFailure } from '#base/index.ts'
import { readFile } from './layout-directory.ts'
import { claim, isAbandoned } from './writer-claim.ts'

const waitMs = 60_000
const pollMs = 10

/**
 * Runs `act` while no other writer, in this process or another, is between reading and replacing the same file.
 * The lock is a name that can be made only once; one that a dead process left is broken.
 *
 * @throws FILE_SYSTEM where a living process holds it for a minute
 */
export async function withIndexLock<T>(
  fs: FileSystem,
  directory: string,
  act: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  await fs.makeDirectory(directory)
  const mine = claim()
  const own = join(directory, `lock.${mine.name}`)
  const lock = join(directory, 'lock')
  try {
    const file = await fs.open(own, 'exclusive')
    try {
      await file.write(Buffer.from(mine.name), 0)
      // A lock that a power cut left without its holder's name would stand for long.
      await file.sync()
    } finally {
      await file.close()
    }
    // A link and not a new file: whoever finds the lock finds the holder's name in it, too.
    for (let waitedMs = 0; !(await linked(fs, own, lock)); waitedMs += pollMs) {
      signal?.throwIfAborted()
      if (await broken(fs, lock, own)) continue
      if (waitedMs >= waitMs) {
        throw baseFailure('FILE_SYSTEM', `${lock} has been held by another process for a minute`)
      }
      await setTimeout(pollMs)
    }
    try {
      await tidy(fs, directory)
      return await act()
    } finally {
      await fs.remove(lock)
    }
  } finally {
    mine.release()
    await fs.remove(own)
  }
}

/** What waiting processes that were killed left. */
async function tidy(fs: FileSystem, directory: string): Promise<void> {
  for (const { name } of await fs.list(directory)) {
    const owner = /^lock\.([^.]+)/.exec(name)?.[1]
    const stat = owner && (await fs.stat(join(directory, name)))
    if (owner && stat && isAbandoned(owner, stat.modifiedMs)) await fs.remove(join(directory, name))
  }
}

async function linked(fs: FileSystem, own: string, lock: string): Promise<boolean> {
  try {
    await fs.link(own, lock)
    return true
  } catch (error) {
    if (isFailure(error) && error.detail.errno === 'EEXIST') return false
    throw error
  }
}

/** Takes away a lock whose holder is dead. */
async function broken(fs: FileSystem, lock: string, own: string): Promise<boolean> {
  const before = await holder(fs, lock)
  if (!before || !isAbandoned(before.name, before.modifiedMs)) return false
  const away = `${own}.broken`
  try {
    await fs.rename(lock, away)
  } catch (error) {
    if (isFailure(error) && error.detail.errno === 'ENOENT') return true
    throw error
  }
  // Between the look and the move somebody else may have broken it and locked anew: give that one back.
  const taken = await holder(fs, away)
  if (taken && taken.name !== before.name) await linked(fs, away, lock)
  await fs.remove(away)
  return true
}

async function holder(
  fs: FileSystem,
  path: string,
): Promise<{ name: string; modifiedMs: number } | undefined> {
  const stat = await fs.stat(path)
  if (stat?.kind !== 'file') return undefined
  try {
    return {
      name: Buffer.from(await readFile(fs, path, 4096)).toString('latin1'),
      modifiedMs: stat.modifiedMs,
    }
  } catch (error) {
    if (isFailure(error) && error.detail.errno === 'ENOENT') return undefined
    throw error
  }
}
