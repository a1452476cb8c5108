import { isAbsolute, join } from 'node:path'
import { type FileSystem, nodeFileSystem, readUpTo, secretLimits } from '#base/index.ts'
import type { KeyringSource } from '../stores/changing-keyring.ts'
import { openFileStore } from '../stores/file-store.ts'
import { openPostgresStore } from '../stores/postgres-store.ts'
import { sealedStore } from '../stores/sealed-store.ts'
import { openSqliteStore } from '../stores/sqlite-store.ts'
import type { SecretStore } from '../types.ts'
import { failure } from './codes.ts'
import type { ResourceConfiguration, StorePlace } from './types.ts'

export interface OpenStoresOptions {
  /** Where relative paths begin. */
  readonly directory: string
  /** Needed as soon as one store is sealed. */
  readonly keyring?: KeyringSource
  /** The stores of kind `given`, by their names in the configuration. */
  readonly given?: ReadonlyMap<string, SecretStore>
  readonly fs?: FileSystem
}

/** The stores of a configuration, open: each as the plugin uses it, and beneath its seal (for `reseal`). */
export interface OpenStores extends AsyncDisposable {
  readonly stores: ReadonlyMap<string, SecretStore>
  readonly beneath: ReadonlyMap<string, SecretStore>
}

/**
 * Opens every store, or none. Those that were given are not closed with the others.
 *
 * @throws RESOURCE_CONFIGURATION_INVALID, SECRET_STORE_FAILED, SECRET_STORE_FOREIGN, SECRET_STORE_BUSY, FILE_SYSTEM
 */
export async function openStores(
  { stores: configured }: Pick<ResourceConfiguration, 'stores'>,
  options: OpenStoresOptions,
): Promise<OpenStores> {
  const { keyring, given } = options
  await using opened = new AsyncDisposableStack()
  const stores = new Map<string, SecretStore>()
  const beneath = new Map<string, SecretStore>()
  for (const [name, { place, sealed = true }] of Object.entries(configured)) {
    if (sealed && !keyring) throw invalid(`the store ${name} is sealed, and there is no keyring`)
    const store = place.kind === 'given' ? given?.get(name) : await openPlace(place, options, opened)
    if (!store) throw invalid(`the store ${name} is to be given, and is not`)
    beneath.set(name, store)
    stores.set(name, sealed && keyring ? sealedStore(store, keyring, { name }) : store)
  }
  const held = opened.move()
  return { stores, beneath, [Symbol.asyncDispose]: () => held.disposeAsync() }
}

/** One store, in its place; what has to be closed goes onto the stack. @throws as `openStores` */
export async function openPlace(
  place: Exclude<StorePlace, { kind: 'given' }>,
  { directory, fs = nodeFileSystem }: OpenStoresOptions,
  opened: AsyncDisposableStack,
): Promise<SecretStore> {
  const pathOf = (path: string) => (isAbsolute(path) ? path : join(directory, path))
  if (place.kind === 'files') return openFileStore(fs, pathOf(place.path))
  if (place.kind === 'sqlite') return opened.use(await openSqliteStore(pathOf(place.path)))
  const { url, passwordFile, name, connections } = place
  const password = passwordFile === undefined ? undefined : await readPassword(fs, pathOf(passwordFile))
  return opened.use(
    await openPostgresStore(url, {
      ...(name !== undefined && { name }),
      ...(connections !== undefined && { connections }),
      ...(password !== undefined && { password }),
    }),
  )
}

/** The first line of the file. */
async function readPassword(fs: FileSystem, path: string): Promise<string> {
  const file = await fs.open(path, 'read')
  try {
    const bytes = await readUpTo(file, secretLimits.textLength)
    return Buffer.from(bytes).toString().split(/\r?\n/, 1)[0]!
  } finally {
    await file.close()
  }
}

const invalid = (why: string) => failure('RESOURCE_CONFIGURATION_INVALID', why)
