import { type FileSystem, isFailure, readUpTo } from '#base/index.ts'

/** The whole of a small file, or undefined where there is none. @throws FILE_SYSTEM, RangeError beyond `maxBytes` */
export async function readSmallFile(
  files: FileSystem,
  path: string,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  let file: Awaited<ReturnType<FileSystem['open']>>
  try {
    file = await files.open(path, 'read')
  } catch (error) {
    if (isFailure(error) && (error.detail.errno === 'ENOENT' || error.detail.errno === 'ENOTDIR'))
      return undefined
    throw error
  }
  try {
    const sizeBytes = await file.size()
    if (sizeBytes > maxBytes) throw new RangeError(`${path} is larger than ${maxBytes} bytes`)
    return await readUpTo(file, sizeBytes)
  } finally {
    await file.close()
  }
}
