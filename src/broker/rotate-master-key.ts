import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type FileSystem, lockDirectory, nodeFileSystem, replaceFile } from '#base/index.ts'
import { identityOf } from './identity.ts'
import { readBrokerConfiguration } from './open-broker.ts'
import { openKeyring, pathIn, sealKeyring } from './open-keyring.ts'
import { openPackages } from './packages/index.ts'
import { openPlace, openStores } from './resource/index.ts'
import { failure } from './stores/codes.ts'
import {
  dropMasterKey,
  type Keyring,
  keyringRefreshMs,
  prepareKeyring,
  type ResealReport,
  reseal,
  rotateKeyring,
  sealedStore,
} from './stores/index.ts'

export interface RotateMasterKeyOptions {
  /** Only adds the next key, which opens and does not seal yet. */
  readonly prepare?: boolean
  /** No new key: what is left is sealed anew, and the keys before the active one are dropped. */
  readonly dropOld?: boolean
  readonly signal?: AbortSignal
  readonly fs?: FileSystem
}

export interface RotatedMasterKey {
  /** Of the key that seals now. */
  readonly activeId: string
  /** In the keyring. */
  readonly keys: number
  readonly dropped: number
  readonly stores: readonly ({ readonly store: string } & ResealReport)[]
}

const busyMs = 10_000
/** Servers that have the keyring open seal with the key before for no longer than this. */
const settleMs = 3 * keyringRefreshMs

/**
 * Puts a new master key into the keyring of a broker and seals all that is stored anew: its state (`state`) and every
 * sealed store. Servers go on meanwhile. Killed in between, the old key still opens what was not reached; the next call
 * seals it anew. Old keys are dropped by a call of their own, and only where nothing was refused.
 *
 * @throws the codes of the configuration, keyring and stores; KEYRING_INVALID where the keyring is full, KEYRING_BUSY
 */
export async function rotateMasterKey(
  directory: string,
  { prepare = false, dropOld = false, signal, fs = nodeFileSystem }: RotateMasterKeyOptions = {},
): Promise<RotatedMasterKey> {
  await using stack = new AsyncDisposableStack()
  const configuration = await readBrokerConfiguration(directory, fs)
  const path = pathIn(directory, configuration.keyring.file)
  // Of two at once the keys of one would be lost, and all that they seal.
  const lock = await lockDirectory(fs, dirname(path), { waitMs: busyMs, signal })
  if (!lock) throw failure('KEYRING_BUSY', 'another process rotates the master key')
  stack.defer(() => lock.release())
  const before = await openKeyring(directory, configuration.keyring, fs)
  const write = async (keyring: Keyring) =>
    replaceFile(fs, path, await sealKeyring(directory, configuration.keyring, keyring, fs))

  if (prepare) {
    const { activeId, keys } = prepareKeyring(before)
    if (keys !== before.keys) await write({ activeId, keys })
    return { activeId, keys: keys.size, dropped: 0, stores: [] }
  }
  const keyring = dropOld ? before : rotateKeyring(before)
  if (!dropOld) await write(keyring)
  // What is written with the key before after its store was looked through would be lost with that key.
  else await sleep(await untilSettled(fs, path), undefined, signal && { signal })

  const state = await openPlace(configuration.state, { directory, fs }, stack)
  const sealedState = sealedStore(state, keyring, { name: 'state' })
  const packages = stack.use(
    await openPackages(configuration.packages ?? [], directory, {
      state: sealedState,
      identity: identityOf(configuration.identity),
    }),
  )
  const { resources } = configuration
  const stores = stack.use(await openStores(resources, { directory, keyring, fs, given: packages.stores }))
  const options = signal ? { signal } : {}
  const reports = [{ store: 'state', ...(await reseal(state, keyring, { name: 'state', ...options })) }]
  for (const [name, store] of stores.beneath) {
    if (resources.stores[name]?.sealed === false) continue
    reports.push({ store: name, ...(await reseal(store, keyring, { name, ...options })) })
  }
  const { activeId, keys } = keyring
  if (!dropOld || reports.some(({ refused }) => refused.length > 0))
    return { activeId, keys: keys.size, dropped: 0, stores: reports }
  // Not a key that was prepared after it.
  const ids = [...keys.keys()]
  const old = ids.slice(0, ids.indexOf(activeId))
  if (old.length > 0) await write(old.reduce(dropMasterKey, keyring))
  return { activeId, keys: ids.length - old.length, dropped: old.length, stores: reports }
}

/** How long it is until every server has seen the keyring that lies there now. */
async function untilSettled(fs: FileSystem, path: string): Promise<number> {
  const modifiedMs = (await fs.stat(path))?.modifiedMs ?? 0
  return Math.min(settleMs, Math.max(0, modifiedMs + settleMs - Date.now()))
}
