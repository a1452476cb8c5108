import { missingOf } from '#gate/index.ts'
import type { Digest } from '#oci/index.ts'
import { failure } from '../codes.ts'
import type { AuditVerifyFlags } from '../commands/audit.ts'
import type { Context } from '../context.ts'
import { openAuditReader } from '../gate/audit-reader.ts'
import { openSession } from '../session.ts'
import { paint } from '../shell/paint.ts'
import { print } from '../shell/print.ts'

export async function run(this: Context, flags: AuditVerifyFlags): Promise<void> {
  await using session = await openSession(this, flags)
  await using audit = await openAuditReader(this, session.settings, flags, flags.checkpoint)
  const { log, earlier } = audit
  const { size, root, origin } = await log.checkpoint()
  const problems: { entry: number; what: string }[] = []
  const seen = new Set<Digest>()
  for await (const { index, record } of audit.records(0, size)) {
    session.signal.throwIfAborted()
    for (const { digest, why } of await missingOf(audit, record, seen)) {
      problems.push({ entry: index, what: why ?? digest })
    }
  }
  const ok = problems.length === 0
  const value = {
    ok,
    origin,
    entries: size,
    root: Buffer.from(root).toString('base64'),
    objects: seen.size,
    ...(earlier && { continues: earlier.size }),
    problems,
  }
  print(this, session.format, value, () => {
    const color = paint(this, this.process.stdout)
    const since = earlier ? `; continues the checkpoint at size ${earlier.size}` : ''
    return [
      ...problems.map(({ entry, what }) => `${color.red('missing')}  entry ${entry}: ${what}`),
      `${ok ? color.green('verified') : color.red('not whole')} ${origin}: ${size} ${size === 1 ? 'entry' : 'entries'}, ${seen.size} things that they name${since}`,
    ].join('\n')
  })
  if (!ok) {
    throw failure(
      'VERIFICATION_FAILED',
      `${problems.length} of the things that the audit log names are missing`,
      {
        detail: { problems },
      },
    )
  }
}
