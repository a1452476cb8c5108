import { dirname } from 'node:path'
import type { FileSystem, OpenFile } from './file-system.ts'

/** A file's bytes from its start, at most `maxBytes` of them. */
export async function readUpTo(file: Pick<OpenFile, 'read' | 'size'>, maxBytes: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(Math.min(await file.size(), maxBytes))
  let filled = 0
  while (filled < bytes.length) {
    const count = await file.read(bytes.subarray(filled), filled)
    if (count === 0) break
    filled += count
  }
  return bytes.subarray(0, filled)
}

/**
 * Gives the path this content in one step that survives a power cut: written beside, synced, renamed, and the
 * directory synced.
 */
export async function replaceFile(
  fs: FileSystem,
  path: string,
  bytes: Uint8Array,
  temporary = `${path}.${crypto.randomUUID()}.new`,
): Promise<void> {
  const file = await fs.open(temporary, 'exclusive')
  try {
    await file.write(bytes, 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await fs.rename(temporary, path)
  await fs.syncDirectory(dirname(path))
}
