import { resolve } from 'node:path'
import type { RegistryGcFlags } from '../commands/registry-gc.ts'
import type { Context } from '../context.ts'
import { openSession } from '../session.ts'
import { bytes, count, print } from '../shell/print.ts'
import { showProgress } from '../shell/progress.ts'

export async function run(this: Context, flags: RegistryGcFlags, directory: string): Promise<void> {
  await using session = await openSession(this, flags)
  const { collectGarbage } = await import('#content/index.ts')
  const progress = showProgress(this)
  const { dryRun, untagged } = flags
  const report = await collectGarbage(resolve(this.cwd, directory), {
    dryRun,
    untagged,
    signal: session.signal,
    onProgress: progress.onProgress,
  }).finally(progress.end)
  print(this, session.format, { directory, dryRun, ...report }, () => {
    const { blobs, manifests, uploads } = report
    const verb = dryRun ? 'would be removed' : 'removed'
    return `${count(blobs.items, 'blob')} (${bytes(report.freedBytes)}), ${count(manifests, 'manifest')} and ${count(uploads, 'upload')} ${verb}`
  })
}
