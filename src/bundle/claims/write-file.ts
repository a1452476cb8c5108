import { dirname } from 'node:path'
import type { FileSystem } from '#base/index.ts'

/**
 * Gives the path this content in one step that survives a power cut: written beside, synced, renamed, and the
 * directory synced.
 */
export async function writeDurably(
  fileSystem: FileSystem,
  path: string,
  bytes: Uint8Array,
  temporary: string,
): Promise<void> {
  const file = await fileSystem.open(temporary, 'exclusive')
  try {
    await file.write(bytes, 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await fileSystem.rename(temporary, path)
  await fileSystem.syncDirectory(dirname(path))
}

/** The whole file, or undefined where there is none. */
export async function readWhole(fileSystem: FileSystem, path: string): Promise<Uint8Array | undefined> {
  const stat = await fileSystem.stat(path)
  if (stat?.kind !== 'file') return undefined
  const file = await fileSystem.open(path, 'read')
  try {
    const bytes = new Uint8Array(await file.size())
    let filled = 0
    while (filled < bytes.length) {
      const count = await file.read(bytes.subarray(filled), filled)
      if (count === 0) break
      filled += count
    }
    return bytes.subarray(0, filled)
  } finally {
    await file.close()
  }
}
