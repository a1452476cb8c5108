import type { Descriptor } from '#oci/index.ts'
import { layoutFiles as filesOf } from '../layout-files.ts'
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
  const files = filesOf(mergeRoots(earlier, fresh))
  return files.map(({ path, bytes }) => ({ path: `${layoutPath}/${path}`, bytes }))
}
