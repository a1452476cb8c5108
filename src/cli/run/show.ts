import { showInstallation } from '#bundle/index.ts'
import type { ShowFlags } from '../commands/show.ts'
import type { Context } from '../context.ts'
import { openStore } from '../life-cycle.ts'
import { openSession } from '../session.ts'
import { print, table } from '../shell/print.ts'

export async function run(this: Context, flags: ShowFlags, name: string): Promise<void> {
  await using session = await openSession(this, flags)
  const detail = await showInstallation(await openStore(this, session), name)
  print(this, session.format, detail, () =>
    [
      `${name}: ${detail.bundle} ${detail.version}${detail.isUninstalled ? ' (uninstalled)' : ''}`,
      ...(detail.bundleReference === undefined ? [] : [`from ${detail.bundleReference}`]),
      '',
      'Parameters:',
      ...Object.entries(detail.parameters).map(([key, value]) => `  ${key} = ${JSON.stringify(value)}`),
      `Outputs: ${detail.outputs.join(', ') || 'none'}`,
      '',
      table(
        ['CLAIM', 'ACTION', 'STATUS', 'CREATED', ''],
        detail.history.map(({ claimId, action, status, created, message = '' }) => [
          claimId,
          action,
          status,
          created,
          message,
        ]),
      ),
    ].join('\n'),
  )
}
