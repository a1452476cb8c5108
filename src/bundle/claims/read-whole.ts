import { type FileSystem, readUpTo } from '#base/index.ts'

/** The whole file, or undefined where there is none. */
export async function readWhole(fileSystem: FileSystem, path: string): Promise<Uint8Array | undefined> {
  const stat = await fileSystem.stat(path)
  if (stat?.kind !== 'file') return undefined
  const file = await fileSystem.open(path, 'read')
  try {
    return await readUpTo(file, stat.sizeBytes)
  } finally {
    await file.close()
  }
}
