import { isAbsolute, join } from 'node:path'
import { type FileSystem, nodeFileSystem, readUpTo, secretLimits } from '#base/index.ts'
import type { BrokerConfiguration } from './configuration/types.ts'
import {
  type ChangingKeyring,
  formatKeyring,
  type Keyring,
  type KeyringSecret,
  parseKeyring,
  watchedKeyring,
} from './stores/index.ts'

/** Paths of the configuration begin where it lies. */
export const pathIn = (directory: string, path: string): string =>
  isAbsolute(path) ? path : join(directory, path)

/** A file of the operator's, up to a size. @throws FILE_SYSTEM */
export async function readFileIn(
  directory: string,
  path: string,
  maxBytes: number,
  fs: FileSystem = nodeFileSystem,
): Promise<Uint8Array> {
  const file = await fs.open(pathIn(directory, path), 'read')
  try {
    return await readUpTo(file, maxBytes)
  } finally {
    await file.close()
  }
}

/** What opens the keyring: the whole of a key file, or the first line of a file with a password. @throws FILE_SYSTEM */
async function keyringSecret(
  directory: string,
  { keyFile, passwordFile }: BrokerConfiguration['keyring'],
  fs: FileSystem,
): Promise<KeyringSecret> {
  if (keyFile !== undefined) {
    return { kind: 'key-file', bytes: await readFileIn(directory, keyFile, secretLimits.keyFileBytes, fs) }
  }
  const bytes = await readFileIn(directory, passwordFile ?? '', secretLimits.textLength, fs)
  return { kind: 'password', password: firstLine(bytes) }
}

/** @throws KEYRING_INVALID, KEYRING_LOCKED, FILE_SYSTEM */
export async function openKeyring(
  directory: string,
  configured: BrokerConfiguration['keyring'],
  fs: FileSystem = nodeFileSystem,
): Promise<Keyring> {
  const secret = await keyringSecret(directory, configured, fs)
  return parseKeyring(await readFileIn(directory, configured.file, secretLimits.keyringBytes, fs), secret)
}

/** The same, and seen when `rotateMasterKey` changes it: no server needs to be started again. */
export async function watchKeyring(
  directory: string,
  configured: BrokerConfiguration['keyring'],
  fs: FileSystem = nodeFileSystem,
): Promise<ChangingKeyring> {
  return watchedKeyring(
    () => readFileIn(directory, configured.file, secretLimits.keyringBytes, fs),
    async (bytes) => parseKeyring(bytes, await keyringSecret(directory, configured, fs)),
  )
}

/** The keyring's file anew, under the same secret. For `replaceFile`. @throws KEYRING_INVALID, FILE_SYSTEM */
export async function sealKeyring(
  directory: string,
  configured: BrokerConfiguration['keyring'],
  keyring: Keyring,
  fs: FileSystem = nodeFileSystem,
): Promise<Uint8Array> {
  return formatKeyring(keyring, await keyringSecret(directory, configured, fs))
}

function firstLine(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0x0a)
  const line = end < 0 ? bytes : bytes.subarray(0, end)
  return line.at(-1) === 0x0d ? line.subarray(0, -1) : line
}
