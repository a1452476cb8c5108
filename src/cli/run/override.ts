import { resolve } from 'node:path'
import { overridePredicate } from '#gate/index.ts'
import { formatStatement, sealStatement } from '#trust/index.ts'
import { attachStatement, placeToSign } from '../attach-statement.ts'
import type { OverrideFlags } from '../commands/override.ts'
import type { Context } from '../context.ts'
import { momentText } from '../duration.ts'
import { writeWhole } from '../files.ts'
import { openSession } from '../session.ts'
import { print } from '../shell/print.ts'
import { openSigningMeans } from '../signing-means.ts'

export async function run(this: Context, flags: OverrideFlags, text: string): Promise<void> {
  await using session = await openSession(this, flags)
  const { person, reason, action, environment, output } = flags
  const notAfter = momentText(flags.until(new Date()))
  const predicate = {
    person,
    reason,
    notAfter,
    ...(action && { actions: [...action] }),
    ...(environment && { environments: [...environment] }),
  }
  const opened = await session.open(await session.location(text))
  const place = await placeToSign(this, session, opened, text, 'override')
  const means = await openSigningMeans(this, flags)
  const { digest } = place.subject
  const predicateType = overridePredicate
  let where = { file: output } as { file?: string | undefined; bundle?: string }
  if (output === undefined)
    where = await attachStatement(session, opened, place, { predicateType, predicate }, means)
  else {
    const { signal } = session
    const sealed = await sealStatement(formatStatement([{ digest }], predicateType, predicate), means, {
      signal,
    })
    await writeWhole(resolve(this.cwd, output), sealed.bundle)
  }
  print(this, session.format, { digest, ...predicate, ...where }, () =>
    [`${person} lets in ${digest} until ${notAfter}`, `wrote ${where.file ?? where.bundle}`].join('\n'),
  )
}
