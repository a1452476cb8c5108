import { type Annotations, type Descriptor, formatPlatform, isIndexType } from '#oci/index.ts'
import {
  containerdNameAnnotation,
  platformsAnnotation,
  refNameAnnotation,
  repositoryAnnotation,
} from './annotations.ts'
import { byBytes } from './paging.ts'
import type { Plan } from './types.ts'

/**
 * What a plan's roots look like in an index.json: one descriptor per tag, with its whole name where the repository
 * (HOST/PATH) is known and the bare tag where not; one without a name for each root that has no tag.
 */
export function plannedRoots(
  plan: Pick<Plan, 'roots' | 'taggings' | 'platforms'>,
  repository: string | undefined,
): Descriptor[] {
  return plan.roots.flatMap((root) => {
    const tags = plan.taggings.filter(({ manifest }) => manifest.digest === root.digest)
    const platforms = isIndexType(root.mediaType) ? plan.platforms : undefined
    const common = platforms && { [platformsAnnotation]: platforms.map(formatPlatform).join(',') }
    const named = (annotations: Annotations): Descriptor => ({
      ...root,
      annotations: { ...withoutNames(root.annotations), ...common, ...annotations },
    })
    if (tags.length === 0)
      return [named(repository === undefined ? {} : { [repositoryAnnotation]: repository })]
    return tags.map(({ reference }) => {
      if (repository === undefined) return named({ [refNameAnnotation]: reference })
      const whole = `${repository}:${reference}`
      return named({ [refNameAnnotation]: whole, [containerdNameAnnotation]: whole })
    })
  })
}

/** What it was called where it came from is no name here: two names of one root would put it in two places. */
function withoutNames(annotations: Annotations = {}): Annotations {
  const names: readonly string[] = [refNameAnnotation, containerdNameAnnotation, repositoryAnnotation]
  return Object.fromEntries(Object.entries(annotations).filter(([key]) => !names.includes(key)))
}

/** The descriptors of an index.json, sorted. A name stands once: what comes later takes it over. */
export function mergeRoots(earlier: readonly Descriptor[], fresh: readonly Descriptor[]): Descriptor[] {
  const named = new Map<string, Descriptor>()
  for (const root of [...earlier, ...fresh]) named.set(keyOf(root), root)
  return [...named.entries()].sort(([a], [b]) => byBytes(a, b)).map(([, root]) => root)
}

function keyOf({ annotations, digest }: Descriptor): string {
  return annotations?.[refNameAnnotation] ?? `~${annotations?.[repositoryAnnotation]}@${digest}`
}
