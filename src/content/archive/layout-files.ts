import { canonicalJson } from '#base/index.ts'
import { type Annotations, type Descriptor, formatPlatform, isIndexType, mediaTypes } from '#oci/index.ts'
import {
  containerdNameAnnotation,
  platformsAnnotation,
  refNameAnnotation,
  repositoryAnnotation,
} from '../annotations.ts'
import { byBytes } from '../paging.ts'
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
  const manifests = [...earlier, ...plans.flatMap(rootsOf)]
  manifests.sort((a, b) => byBytes(keyOf(a), keyOf(b)))
  const unique = manifests.filter(
    (root, at) => at === 0 || keyOf(root) !== keyOf(manifests[at - 1] as Descriptor),
  )
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: unique }
  return [
    { path: `${layoutPath}/oci-layout`, bytes: canonicalJson({ imageLayoutVersion: '1.0.0' }) },
    { path: `${layoutPath}/index.json`, bytes: canonicalJson(index) },
  ]
}

function rootsOf(plan: RepositoryPlan): Descriptor[] {
  return plan.roots.flatMap((root) => {
    const tags = plan.taggings.filter(({ manifest }) => manifest.digest === root.digest)
    const platforms = isIndexType(root.mediaType) ? plan.platforms : undefined
    const common = platforms && { [platformsAnnotation]: platforms.map(formatPlatform).join(',') }
    const named = (annotations: Annotations): Descriptor => ({
      ...root,
      annotations: { ...root.annotations, ...common, ...annotations },
    })
    if (tags.length === 0) return [named({ [repositoryAnnotation]: plan.name })]
    return tags.map(({ reference }) => {
      const whole = `${plan.name}:${reference}`
      return named({ [refNameAnnotation]: whole, [containerdNameAnnotation]: whole })
    })
  })
}

function keyOf({ annotations, digest }: Descriptor): string {
  return annotations?.[refNameAnnotation] ?? `~${annotations?.[repositoryAnnotation]}@${digest}`
}
