import { open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileSystemFailure, isFailure, nodeFileSystem } from '#base/index.ts'
import { failure } from './codes.ts'

/** A small file from the operator, whole. @throws LOCATION_INVALID where it is too large, FILE_SYSTEM */
export async function readWhole(path: string, maxBytes: number): Promise<Uint8Array> {
  const file = await nodeFileSystem.open(path, 'read')
  try {
    const size = await file.size()
    if (size > maxBytes)
      throw failure('LOCATION_INVALID', `${path} has ${size} bytes, over the limit of ${maxBytes}`)
    const bytes = new Uint8Array(size)
    let at = 0
    for (let count = -1; at < size && count !== 0; at += count)
      count = await file.read(bytes.subarray(at), at)
    return bytes.subarray(0, at)
  } finally {
    await file.close()
  }
}

/**
 * Writes a file that must be new, in one step, with these permissions; readable to its owner alone where none are
 * said.
 *
 * @throws FILE_EXISTS, DISK_FULL, FILE_SYSTEM
 */
export async function writeNew(path: string, bytes: Uint8Array, mode = 0o600): Promise<void> {
  const partial = `${path}.${crypto.randomUUID()}.partial`
  try {
    const file = await open(partial, 'wx', mode)
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    // A second name, not a new one: renaming would replace what is there.
    await nodeFileSystem.link(partial, path)
    await nodeFileSystem.syncDirectory(dirname(path))
  } catch (cause) {
    if (isFailure(cause) && cause.detail.errno === 'EEXIST')
      throw failure('FILE_EXISTS', `${path} is there already`)
    throw isFailure(cause) ? cause : fileSystemFailure(path, cause)
  } finally {
    await nodeFileSystem.remove(partial)
  }
}

/** Writes a file in one step: whole and on the disk under its name, or not at all. @throws DISK_FULL, FILE_SYSTEM */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const directory = dirname(path)
  const partial = join(directory, `.${process.pid}.${Date.now().toString(36)}.partial`)
  await nodeFileSystem.makeDirectory(directory)
  const file = await nodeFileSystem.open(partial, 'exclusive')
  try {
    await file.write(bytes, 0)
    await file.sync()
  } catch (error) {
    await nodeFileSystem.remove(partial)
    throw error
  } finally {
    await file.close()
  }
  await nodeFileSystem.rename(partial, path)
  await nodeFileSystem.syncDirectory(directory)
}
