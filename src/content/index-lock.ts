import { join } from 'node:path'
import { baseFailure, type FileSystem, lockDirectory } from '#base/index.ts'

const waitMs = 60_000

/**
 * Runs `act` while no other writer, in this process or another, is between reading and replacing the same file.
 *
 * @throws FILE_SYSTEM where a living process holds it for a minute
 */
export async function withIndexLock<T>(
  fs: FileSystem,
  directory: string,
  act: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const lock = await lockDirectory(fs, directory, { waitMs, signal })
  if (!lock) {
    throw baseFailure(
      'FILE_SYSTEM',
      `${join(directory, 'lock')} has been held by another process for a minute`,
    )
  }
  try {
    return await act()
  } finally {
    await lock.release()
  }
}
