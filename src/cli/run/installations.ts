import { listInstallations } from '#bundle/index.ts'
import type { InstallationsFlags } from '../commands/installations.ts'
import type { Context } from '../context.ts'
import { openStore } from '../life-cycle.ts'
import { openSession } from '../session.ts'
import { print, table } from '../shell/print.ts'

export async function run(this: Context, flags: InstallationsFlags): Promise<void> {
  await using session = await openSession(this, flags)
  const installations = await listInstallations(await openStore(this, session))
  print(this, session.format, installations, () =>
    table(
      ['NAME', 'BUNDLE', 'VERSION', 'ACTION', 'STATUS', 'MODIFIED'],
      installations.map(({ name, bundle, version, action, status, modified, isUninstalled }) => [
        name,
        bundle,
        version,
        action,
        isUninstalled ? 'uninstalled' : status,
        modified,
      ]),
    ),
  )
}
