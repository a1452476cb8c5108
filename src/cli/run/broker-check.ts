import { resolve } from 'node:path'
import { nodeFileSystem } from '#base/index.ts'
import { type BrokerConfiguration, checkBroker, type Finding, Findings } from '#broker/index.ts'
import { checkListeners } from '#server/index.ts'
import { failure } from '../codes.ts'
import type { BrokerCheckFlags } from '../commands/broker-check.ts'
import type { Context } from '../context.ts'
import { readAuditPlace } from '../gate/audit-place.ts'
import { openSession } from '../session.ts'
import { count, oneLine, print } from '../shell/print.ts'

export async function run(this: Context, flags: BrokerCheckFlags, folder: string): Promise<void> {
  await using session = await openSession(this, flags)
  const directory = resolve(this.cwd, folder)
  const at = new Date()
  const { findings, configuration } = await checkBroker(directory, { at })
  const listeners = configuration ? await checkListeners(configuration, directory, at) : []
  const audit = configuration ? await checkAudit(configuration, directory) : []
  const all = [...findings, ...audit, ...listeners]
  const problems = all.filter(({ ok }) => !ok)
  print(this, session.format, { ok: problems.length === 0, findings: all }, () =>
    all
      .map(({ what, ok, code, message }) =>
        oneLine(`${ok ? 'ok' : 'problem'}  ${what}: ${code ? `${code}: ` : ''}${message}`),
      )
      .join('\n'),
  )
  if (problems.length > 0)
    throw failure('BROKER_UNSOUND', `${count(problems.length, 'problem')} in ${folder}`)
}

/** A folder that is there: its key, and the checkpoint that it signed last. */
async function checkAudit({ audit }: BrokerConfiguration, directory: string): Promise<readonly Finding[]> {
  const findings = new Findings()
  if (audit.kind === 'files')
    await findings.look('audit', async () => {
      const place = resolve(directory, audit.path)
      if (!(await nodeFileSystem.stat(place))) return 'made when the broker starts'
      const { log } = await readAuditPlace(place)
      return count((await log.checkpoint()).size, 'entry').replace(/entrys$/, 'entries')
    })
  return findings.all
}
