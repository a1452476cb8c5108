import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { policyLimits } from '#base/index.ts'
import type { Rules } from '#gate/index.ts'
import { compilePolicy, type PolicyFile, parseTrustPolicy } from '#policy/index.ts'
import type { TrustedKey } from '#trust/index.ts'
import type { Context } from '../context.ts'
import { readWhole } from '../files.ts'
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
 * A trust policy in YAML with the files that it names; or a folder of Rego whose `data.sealift.decision` decides,
 * with the keys in its `keys/*.pub` and the trusted roots that are stored here.
 *
 * @throws the codes of `parseTrustPolicy` and `compilePolicy`, FILE_SYSTEM
 */
export async function loadRules(context: Context, settings: Settings, path: string): Promise<Rules> {
  const stored = await storedTrust(context, settings)
  const revokedHere = stored.revoked ?? []
  if ((await stat(path)).isDirectory()) {
    const policy = compilePolicy(await regoFiles(path))
    return { policy, material: { ...stored, keys: await publicKeys(join(path, 'keys')) } }
  }
  const text = Buffer.from(await readWhole(path, policyLimits.trustPolicyBytes)).toString()
  const { policy, keys, roots, revoked } = await parseTrustPolicy(text, {
    path,
    readFile: (file, maxBytes) => readWhole(resolve(dirname(path), file), maxBytes),
  })
  const all = [...revoked, ...revokedHere]
  return { policy, material: { keys, roots, ...(all.length > 0 && { revoked: all }) } }
}

async function regoFiles(directory: string): Promise<PolicyFile[]> {
  const names = (await readdir(directory)).filter(
    (name) => /\.(rego|json)$/.test(name) && !name.endsWith('_test.rego'),
  )
  return Promise.all(
    names.map(async (name) => ({
      path: name,
      text: Buffer.from(await readWhole(join(directory, name), policyLimits.bytes)).toString(),
    })),
  )
}

async function publicKeys(directory: string): Promise<TrustedKey[]> {
  const names = await readdir(directory).catch(() => [])
  return Promise.all(
    names
      .filter((name) => name.endsWith('.pub'))
      .sort()
      .map(async (name) => ({
        name: basename(name, '.pub'),
        pem: Buffer.from(await readWhole(join(directory, name), 64 * 1024)).toString(),
      })),
  )
}
