import { mkdirSync, readFileSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileSystemFailure, type Limits, limits, nodeFileSystem, type OnProgress } from '#base/index.ts'
import type { CallOptions, Source } from '#content/index.ts'
import { applyLayer } from './apply-layer.ts'
import { failure } from './codes.ts'
import { readLayer } from './layer-reader.ts'
import { RootDirectory, removeTree } from './root-directory.ts'
import type { SelectedImage } from './select-image.ts'

export interface UnpackOptions extends CallOptions {
  /** Whether files get the owners that the layers say; by default where this process is root, of all users. */
  readonly ownership?: boolean
  /** Devices and pipes are left out with a note; `refuse` takes them for hostile. */
  readonly devices?: 'skip' | 'refuse'
  readonly onProgress?: OnProgress
  readonly limits?: Limits
}

/**
 * Unpacks the layers of an image into a new directory: the root file system of what is to run. The work is done
 * in DIRECTORY.partial, which takes the final name once every digest and diff_id was verified, and is removed where
 * anything fails; what an earlier run left under that name is removed first.
 *
 * Modes and times are kept, extended attributes are not. Without ownership, files lose their setuid and setgid
 * bits. With it, the directory holds setuid files of other users: put it where only its owner can go. There is no
 * promise across a power cut, a root file system is unpacked anew.
 *
 * @throws UNPACK_EXISTS, LAYER_INVALID, LAYER_HOSTILE, LAYER_UNSUPPORTED, LAYER_TOO_LARGE, LAYER_MISMATCH,
 * DIGEST_MISMATCH, SIZE_MISMATCH, CONTENT_NOT_FOUND, DISK_FULL, FILE_SYSTEM
 */
export async function unpackImage(
  source: Pick<Source, 'open'>,
  { manifest, config }: Pick<SelectedImage, 'manifest' | 'config'>,
  directory: string,
  options: UnpackOptions = {},
): Promise<void> {
  const { signal, onProgress, devices = 'skip', ownership = mayGiveAway() } = options
  const bounds = options.limits ?? limits
  if (await nodeFileSystem.stat(directory)) throw failure('UNPACK_EXISTS', `${directory} is there already`)
  const partial = `${directory}.partial`
  await nodeFileSystem.makeDirectory(dirname(directory))
  removeTree(partial)
  try {
    guard(partial, () => mkdirSync(partial, 0o700))
    const root = new RootDirectory(partial, bounds)
    root.setLook('', { mode: 0o755, mtimeSeconds: 0 })
    const budget = { leftBytes: bounds.unpackedBytes }
    const sizeBytes = manifest.layers.reduce((sum, { size }) => sum + size, 0)
    onProgress?.({ type: 'total', sizeBytes, items: manifest.layers.length })
    for (const [at, layer] of manifest.layers.entries()) {
      signal?.throwIfAborted()
      const diffId = config.diffIds[at]
      if (diffId === undefined) throw failure('IMAGE_CONFIG_INVALID', `the config names no layer ${at + 1}`)
      const members = readLayer(source, layer, diffId, { limits: bounds, budget, signal })
      const onNote = (text: string) => onProgress?.({ type: 'note', text })
      await applyLayer(root, members, { ownership, devices, limits: bounds, signal, onNote })
      onProgress?.({ type: 'advance', sizeBytes: layer.size })
      onProgress?.({ type: 'done', what: layer.digest, sizeBytes: layer.size, how: 'unpacked' })
    }
    root.finish()
    guard(directory, () => renameSync(partial, directory))
  } catch (error) {
    removeTree(partial)
    throw error
  }
}

/** Root inside a user namespace has only the users that are mapped into it (user_namespaces(7)). */
function mayGiveAway(): boolean {
  if (process.getuid?.() !== 0) return false
  try {
    return /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'latin1'))
  } catch {
    return false
  }
}

function guard(path: string, act: () => void): void {
  try {
    act()
  } catch (error) {
    throw fileSystemFailure(path, error)
  }
}
