import { canonicalJson } from '#base/index.ts'
import { type Descriptor, mediaTypes } from '#oci/index.ts'
import { mergeRoots, plannedRoots } from '../planned-roots.ts'
import type { Plan } from '../types.ts'
import { layoutPath } from './format.ts'
import type { SmallFile } from './places.ts'

/** The plan of one repository inside an archive. */
export interface RepositoryPlan extends Plan {
  /** HOST/PATH. */
  readonly name: string
}

/** `oci-layout` and `index.json`, deterministic: sorted by name, then digest. */
export function layoutFiles(
  plans: readonly RepositoryPlan[],
  earlier: readonly Descriptor[] = [],
): SmallFile[] {
  const fresh = plans.flatMap((plan) => plannedRoots(plan, plan.name))
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: mergeRoots(earlier, fresh) }
  return [
    { path: `${layoutPath}/oci-layout`, bytes: canonicalJson({ imageLayoutVersion: '1.0.0' }) },
    { path: `${layoutPath}/index.json`, bytes: canonicalJson(index) },
  ]
}
