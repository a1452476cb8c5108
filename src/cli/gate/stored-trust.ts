import { join } from 'node:path'
import { stateDirectory } from '#bundle/index.ts'
import { RootStore, type TrustMaterial } from '#trust/index.ts'
import type { Context } from '../context.ts'
import type { Settings } from '../settings.ts'

/** The trusted roots that were imported here (`sealift trust-root import`). @throws TRUST_STORE_DAMAGED, FILE_SYSTEM */
export async function storedTrust(context: Context, settings: Settings): Promise<TrustMaterial> {
  return rootStore(context, settings).material()
}

export const rootStore = (context: Context, settings: Settings): RootStore =>
  new RootStore(rootDirectory(context, settings))

/** Where they are kept: a folder in the state directory. */
export const rootDirectory = (context: Context, settings: Settings): string =>
  join(settings.stateDir ?? stateDirectory(context.env), 'trust')
