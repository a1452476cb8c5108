import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { limits } from '#base/index.ts'
import type { Rules } from '#gate/index.ts'
import type { TrustedKey } from '#trust/index.ts'
import type { Context } from '../context.ts'
import { readWhole } from '../files.ts'
import { readPolicyAt } from '../policy-files.ts'
import type { Settings } from '../settings.ts'
import type { GateFlags } from './flags.ts'
import { storedTrust } from './stored-trust.ts'

/** The policy that flags or settings name, as an absolute path. */
export function rulesPath(
  context: Context,
  settings: Settings,
  flags: Pick<GateFlags, 'policy'>,
): string | undefined {
  return flags.policy === undefined ? settings.policy : resolve(context.cwd, flags.policy)
}

/**
 * A trust policy in YAML with the files that it names (also as `policy.yaml` of a folder); or Rego whose
 * `data.sealift.decision` decides, with the keys in `keys/*.pub` beside it and the trusted roots that are stored here.
 *
 * @throws the codes of `parseTrustPolicy` and `compilePolicy`, FILE_SYSTEM
 */
export async function loadRules(context: Context, settings: Settings, path: string): Promise<Rules> {
  const stored = await storedTrust(context, settings)
  const { policy, trust } = await readPolicyAt(path)
  if (!trust) {
    const beside = (await stat(path)).isDirectory() ? path : dirname(path)
    return { policy, material: { ...stored, keys: await publicKeys(join(beside, 'keys')) } }
  }
  const { keys, roots } = trust
  const revoked = [...trust.revoked, ...(stored.revoked ?? [])]
  return { policy, material: { keys, roots, ...(revoked.length > 0 && { revoked }) } }
}

async function publicKeys(directory: string): Promise<TrustedKey[]> {
  const names = await readdir(directory).catch(() => [])
  return Promise.all(
    names
      .filter((name) => name.endsWith('.pub'))
      .sort()
      .map(async (name) => ({
        name: basename(name, '.pub'),
        pem: Buffer.from(await readWhole(join(directory, name), limits.keyBytes)).toString(),
      })),
  )
}
