import {
  type CopyOptions,
  type CopyResult,
  copyAll,
  type Passage,
  parallel,
  type Target,
} from '#content/index.ts'
import { formatReference, type Reference } from '#oci/index.ts'
import { type LocateImage, locateChecked } from './locate.ts'
import type { RelocationMapping } from './mapping.ts'
import type { RelocationPlan } from './plan.ts'

export interface RelocateOptions extends CopyOptions {
  readonly locate: LocateImage
  /** Opens a repository to write to. Called once for each. */
  readonly target: (repository: Pick<Reference, 'registry' | 'repository'>) => Target | Promise<Target>
}

/**
 * Copies all images of a plan to where they go, shared content once, with their referrers. The mapping is to be
 * written only after this: what it names is there then.
 *
 * @throws IMAGE_DIGEST, and the codes of `copyAll`, source and target
 */
export async function relocate(
  plan: RelocationPlan,
  { locate, target, ...options }: RelocateOptions,
): Promise<{ readonly mapping: RelocationMapping; readonly result: CopyResult }> {
  const targets = new Map<string, Target>()
  for (const { to } of plan.images) {
    const { registry, repository } = to
    const key = `${registry}/${repository}`
    if (!targets.has(key)) targets.set(key, await target({ registry, repository }))
  }
  const passages = await parallel(
    plan.images,
    options.concurrency ?? 8,
    async ({ image, to, tags }): Promise<Passage> => {
      const { source, root } = await locateChecked(image, locate, options)
      const key = formatReference(to).slice(0, -`@${to.digest}`.length)
      return { root, source, target: targets.get(key) as Target, tags }
    },
  )
  return { mapping: plan.mapping, result: await copyAll(passages, options) }
}
