import { resolve } from 'node:path'
import { formatRelocationMapping, relocate, relocationPlan } from '#bundle/index.ts'
import { formatReference, parsePlatform } from '#oci/index.ts'
import type { RelocateFlags } from '../commands/relocate.ts'
import type { Context } from '../context.ts'
import { copyFacts, copyLine } from '../copy-facts.ts'
import { writeWhole } from '../files.ts'
import { openGateFor } from '../gate/gate-for.ts'
import { openBundle } from '../open-bundle.ts'
import { openSession } from '../session.ts'
import { print } from '../shell/print.ts'
import { showProgress } from '../shell/progress.ts'

export async function run(this: Context, flags: RelocateFlags, text: string): Promise<void> {
  await using session = await openSession(this, flags)
  const begun = performance.now()
  const opened = await openBundle(session, text)
  const { bundle, locate } = opened
  const plan = relocationPlan(bundle, { to: flags.to })
  const images = plan.images.map(({ image, digest, to }) => ({
    from: image.image,
    to: formatReference(to),
    digest,
  }))
  const lines = () => images.map(({ from, to }) => `${from}\n  -> ${to}`)
  const common = { bundle: `${bundle.name} ${bundle.version}`, images, mapping: plan.mapping }
  if (flags.dryRun) {
    print(this, session.format, { ...common, dryRun: true }, () =>
      [...lines(), `${images.length} images would be copied; nothing was written`].join('\n'),
    )
    return
  }
  await using gate = await openGateFor(this, session, flags)
  if (gate) {
    const { admitImages } = await import('../gate/admit.ts')
    await admitImages(
      gate,
      'relocate',
      opened,
      plan.images.map(({ image, to }) => ({ image, reference: formatReference(to) })),
    )
  }
  const registries = await session.registries()
  const progress = showProgress(this)
  const { signal, concurrency } = session
  const { mapping, result } = await relocate(plan, {
    locate,
    target: (repository) => registries.repository(repository),
    platforms: flags.platform?.map(parsePlatform) ?? [],
    referrers: flags.referrers,
    concurrency,
    signal,
    onProgress: progress.onProgress,
  }).finally(progress.end)
  const file = resolve(this.cwd, flags.relocationMapping)
  await writeWhole(file, formatRelocationMapping(mapping))
  const facts = copyFacts(result, performance.now() - begun)
  print(this, session.format, { ...common, dryRun: false, file, ...facts }, () =>
    [...lines(), copyLine(facts), `mapping: ${flags.relocationMapping}`].join('\n'),
  )
}
