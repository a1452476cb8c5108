import { releasePredicate } from '#gate/index.ts'
import { attachStatement, attachToArchive, placeToSign, wholeArchive } from '../attach-statement.ts'
import type { ReleaseSignFlags } from '../commands/release.ts'
import type { Context } from '../context.ts'
import { momentText } from '../duration.ts'
import { demandSigning } from '../gate/permits.ts'
import { nameOfPlace, proofPlaces } from '../proof-places.ts'
import { openSession } from '../session.ts'
import { print } from '../shell/print.ts'
import { openSigningMeans } from '../signing-means.ts'

export async function run(this: Context, flags: ReleaseSignFlags, text: string): Promise<void> {
  await using session = await openSession(this, flags)
  const now = new Date()
  const { product, sequence = Math.floor(now.getTime() / 1000), nextBy } = flags
  const predicate = {
    product,
    sequence,
    issuedAt: momentText(now),
    ...(nextBy && { nextBy: momentText(nextBy(now)) }),
  }
  const said = { predicateType: releasePredicate, predicate }
  const opened = await session.open(await session.location(text))
  const archive = wholeArchive(opened)
  const place = archive ? undefined : await placeToSign(this, session, opened, text)
  if (archive) await demandSigning(this, session, (await proofPlaces(session, opened)).map(nameOfPlace))
  const means = await openSigningMeans(this, flags)
  if (place) await attachStatement(session, opened, place, said, means)
  const digest = archive
    ? await attachToArchive(session, opened, archive, said, means)
    : (place?.subject.digest ?? '')
  print(this, session.format, { location: text, digest, ...predicate }, () => {
    const next = predicate.nextBy === undefined ? '' : `, the next one by ${predicate.nextBy}`
    return `release ${sequence} of ${product}: ${text} ${digest}${next}`
  })
}
