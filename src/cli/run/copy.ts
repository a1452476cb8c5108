import { copyAll } from '#content/index.ts'
import { parsePlatform } from '#oci/index.ts'
import type { CopyFlags } from '../commands/copy.ts'
import type { Context } from '../context.ts'
import { copyFacts, copyLine } from '../copy-facts.ts'
import { openGateFor } from '../gate/gate-for.ts'
import { openTarget } from '../open-target.ts'
import { openSession } from '../session.ts'
import { print } from '../shell/print.ts'
import { showProgress } from '../shell/progress.ts'

export async function run(this: Context, flags: CopyFlags, from: string, to: string): Promise<void> {
  await using session = await openSession(this, flags)
  const begun = performance.now()
  const platforms = flags.platform?.map(parsePlatform) ?? []
  const sourceLocation = await session.location(from)
  const targetLocation = await session.location(to)
  const opened = await session.open(sourceLocation)
  await using target = await openTarget(targetLocation, opened.roots, session.registries)
  const placed = opened.roots.map((root) => ({ root, place: target.placeOf(root) }))
  await using gate = await openGateFor(this, session, flags)
  if (gate) {
    const { admitRoots } = await import('../gate/admit.ts')
    await admitRoots(
      gate,
      'load',
      opened,
      placed.map(({ root, place }) => ({ ...root, reference: place.name })),
    )
  }
  const progress = showProgress(this)
  const { signal, concurrency } = session
  const { referrers } = flags
  const result = await copyAll(
    placed.map(({ root, place }) => ({
      root: root.root,
      source: root.source,
      target: place.target,
      tags: place.tags,
    })),
    { platforms, referrers, concurrency, signal, onProgress: progress.onProgress },
  ).finally(progress.end)
  const roots = placed.map(({ root: { root, reference }, place }) => ({
    ...(reference !== undefined && { from: reference }),
    to: place.name,
    digest: root.digest,
    mediaType: root.mediaType,
  }))
  const facts = copyFacts(result, performance.now() - begun)
  print(this, session.format, { source: from, target: to, roots, ...facts }, () =>
    [...roots.map(({ to: name, digest }) => `${name}  ${digest}`), copyLine(facts)].join('\n'),
  )
}
