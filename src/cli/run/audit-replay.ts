import { type Difference, replay } from '#gate/index.ts'
import { failure } from '../codes.ts'
import type { AuditReplayFlags } from '../commands/audit.ts'
import type { Context } from '../context.ts'
import { openAuditReader } from '../gate/audit-reader.ts'
import { openSession } from '../session.ts'
import { paint } from '../shell/paint.ts'
import { count, print } from '../shell/print.ts'

export async function run(this: Context, flags: AuditReplayFlags): Promise<void> {
  await using session = await openSession(this, flags)
  const { signal } = session
  await using audit = await openAuditReader(this, session.settings, flags)
  const { from, to } = flags
  const range = { ...(from !== undefined && { from }), ...(to !== undefined && { to }) }
  const differing: { entry: number; differences: readonly Difference[] }[] = []
  let replayed = 0
  for await (const { index, differences } of replay(audit, { ...range, signal })) {
    replayed++
    if (differences.length > 0) differing.push({ entry: index, differences })
  }
  const ok = differing.length === 0
  print(this, session.format, { ok, replayed, differing }, () => {
    const color = paint(this, this.process.stdout)
    return [
      ...differing.flatMap(({ entry, differences }) =>
        differences.map(({ kind, what }) => `${color.red(kind)}  entry ${entry}: ${what}`),
      ),
      ok
        ? `${color.green('the same')}: ${count(replayed, 'decision')} decided again`
        : `${differing.length} of ${count(replayed, 'decision')} could not be repeated`,
    ].join('\n')
  })
  if (!ok) {
    throw failure('VERIFICATION_FAILED', `${count(differing.length, 'decision')} differ when decided again`, {
      detail: { differing },
    })
  }
}
