import { createHash } from 'node:crypto'
import { join } from 'node:path'
import {
  canonicalJson,
  type FileSystem,
  isFailure,
  nodeFileSystem,
  readUpTo,
  replaceFile,
} from '#base/index.ts'
import { bundleOf, type CertificateState, type CertificateStore, parseState } from './certificate-state.ts'

const maxBytes = 1024 * 1024

/**
 * Keeps the state in a directory of one server: `certificates.json`, and beside it `ca-bundle.crt`, for whoever
 * writes the webhook's configuration by hand. The directory should be its owner's alone.
 */
export function directoryStore(directory: string, fs: FileSystem = nodeFileSystem): CertificateStore {
  const path = join(directory, 'certificates.json')
  const read = async (): Promise<Uint8Array | undefined> => {
    try {
      const file = await fs.open(path, 'read')
      try {
        return await readUpTo(file, maxBytes)
      } finally {
        await file.close()
      }
    } catch (error) {
      if (isFailure(error, 'FILE_SYSTEM') && error.detail.errno === 'ENOENT') return undefined
      throw error
    }
  }
  const versionOf = (bytes: Uint8Array | undefined) =>
    bytes === undefined ? '' : createHash('sha256').update(bytes).digest('hex')
  return {
    load: async () => {
      const bytes = await read()
      return { state: bytes && parseState(bytes), version: versionOf(bytes) }
    },
    save: async (state: CertificateState, version) => {
      if (versionOf(await read()) !== version) return false
      await fs.makeDirectory(directory)
      await replaceFile(fs, path, canonicalJson(state))
      await replaceFile(fs, join(directory, 'ca-bundle.crt'), Buffer.from(bundleOf(state)))
      return true
    },
  }
}
