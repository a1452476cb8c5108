import { basename, dirname, join } from 'node:path'
import type { FileSystem } from '#base/index.ts'
import { errnoOf } from './durable.ts'

type Stat = NonNullable<Awaited<ReturnType<FileSystem['stat']>>>

const prefix = '.aside-'

const asidePath = (path: string): string => join(dirname(path), `${prefix}${basename(path)}`)

/** The name that `name` was moved aside from, or undefined. No digest, tag or upload begins with a dot. */
export const asideFrom = (name: string): string | undefined =>
  name.startsWith(prefix) ? name.slice(prefix.length) : undefined

/**
 * Removes a file that may be asked for at the same time by another process: moved aside first, then looked at
 * again. Whoever was told that it is there renewed its time before, so it is put back.
 *
 * @returns false where it was put back, or was gone
 */
export async function takeAway(
  fs: FileSystem,
  path: string,
  isUnused: (aside: string) => Promise<boolean>,
): Promise<boolean> {
  const aside = asidePath(path)
  try {
    await fs.rename(path, aside)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
  if (await isUnused(aside)) {
    // Put back meanwhile, it goes on under its own name.
    const gone = (await fs.stat(path)) === undefined
    await fs.remove(aside)
    return gone
  }
  await putBack(fs, path)
  return false
}

/** Gives a file that was moved aside its name again, durably, before the other name goes. */
export async function putBack(fs: FileSystem, path: string): Promise<void> {
  const aside = asidePath(path)
  try {
    await fs.link(aside, path)
  } catch (error) {
    // Gone for good, or pushed anew.
    if (errnoOf(error) === 'ENOENT') return
    if (errnoOf(error) !== 'EEXIST') throw error
  }
  await fs.syncDirectory(dirname(path))
  await fs.remove(aside)
}

/** What is at `path`, put back first where a collection has it aside or died while it had. */
export async function statHeld(fs: FileSystem, path: string): Promise<Stat | undefined> {
  const stat = await fs.stat(path)
  if (stat || !(await fs.touch(asidePath(path)))) return stat
  await putBack(fs, path)
  return fs.stat(path)
}
