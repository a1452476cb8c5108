import type { TrustMaterial } from '#trust/index.ts'
import type { Context } from '../context.ts'
import type { Settings } from '../settings.ts'

/** The trusted roots that were imported here (`sealift trust-root import`). */
export async function storedTrust(_context: Context, _settings: Settings): Promise<TrustMaterial> {
  return { keys: [], roots: [] }
}
