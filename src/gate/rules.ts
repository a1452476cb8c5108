import type { Json } from '#base/index.ts'
import type { Digest } from '#oci/index.ts'
import type { Policy } from '#policy/index.ts'
import { type PreparedTrust, prepareTrust, type TrustMaterial } from '#trust/index.ts'
import { keepJson, type Objects } from './audit/objects.ts'

/** By what is judged at one moment: a policy, and what signatures are checked against. */
export interface Rules {
  readonly policy: Policy
  readonly material: TrustMaterial
}

/** Rules made ready once, for many questions. */
export interface PreparedRules {
  readonly policy: Policy
  readonly trust: PreparedTrust
  /** Keeps both where records point to; the digests of what was kept. */
  keep(objects: Objects): Promise<{ readonly policy: Digest; readonly trust: Digest }>
}

/** @throws KEY_INVALID, TRUST_ROOT_INVALID */
export function prepareRules(rules: Rules): PreparedRules {
  const { policy, material } = rules
  let kept: Promise<{ policy: Digest; trust: Digest }> | undefined
  return {
    policy,
    trust: prepareTrust(material),
    keep(objects) {
      kept ??= keepBoth(objects, rules).catch((error: unknown) => {
        kept = undefined
        throw error
      })
      return kept
    },
  }
}

async function keepBoth(objects: Objects, { policy, material }: Rules) {
  const { digest, files, data, rule, ignores, predicates } = policy
  const [kept, trust] = await Promise.all([
    keepJson(objects, { digest, files, data, rule, ignores, predicates } as unknown as Json),
    keepJson(objects, material as unknown as Json),
  ])
  return { policy: kept, trust }
}
