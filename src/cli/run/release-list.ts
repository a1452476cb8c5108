import { join } from 'node:path'
import { KnownReleases, releaseDirectory } from '#gate/index.ts'
import { failure } from '../codes.ts'
import type { ReleaseListFlags } from '../commands/release.ts'
import type { Context } from '../context.ts'
import { auditDirectory } from '../gate/audit-place.ts'
import { openSession } from '../session.ts'
import { count, print, table } from '../shell/print.ts'

export async function run(this: Context, flags: ReleaseListFlags): Promise<void> {
  await using session = await openSession(this, flags)
  const directory = join(auditDirectory(this, session.settings, flags), 'releases')
  const now = Date.now()
  const releases = (await new KnownReleases(releaseDirectory(directory)).all()).map((release) => ({
    ...release,
    overdue: release.nextBy !== undefined && Date.parse(release.nextBy) <= now,
  }))
  print(this, session.format, releases, () =>
    table(
      ['PRODUCT', 'RELEASE', 'LET IN', 'NEXT BY', 'PUBLISHER', 'CONTENT'],
      releases.map(({ product, sequence, seenAt, nextBy, overdue, publisher, digest }) => [
        product,
        String(sequence),
        seenAt,
        `${nextBy ?? '-'}${overdue ? ' OVERDUE' : ''}`,
        publisher,
        digest,
      ]),
    ),
  )
  const late = releases.filter(({ overdue }) => overdue)
  if (flags.check && late.length > 0) {
    throw failure(
      'RELEASE_OVERDUE',
      `${count(late.length, 'promised release')} did not come: ${late.map(({ product }) => product).join(', ')}`,
    )
  }
}
