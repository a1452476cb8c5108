import { resolve } from 'node:path'
import { openDataDirectory } from '#content/index.ts'
import type { RegistryServeFlags } from '../commands/registry-serve.ts'
import type { Context } from '../context.ts'
import { openServingFor } from '../gate/gate-for.ts'
import { registryAccess } from '../registry-access.ts'
import { serveUntilStopped, warnIfOpen } from '../serve-until-stopped.ts'
import { openSession } from '../session.ts'

export async function run(this: Context, flags: RegistryServeFlags, directory: string): Promise<void> {
  const { anonymousPull, listen, verbose } = flags
  const access = registryAccess(this, flags, anonymousPull)
  await using session = await openSession(this, flags)
  const repositories = await openDataDirectory(resolve(this.cwd, directory))
  warnIfOpen(this, listen, flags.htpasswd !== undefined || flags.access !== undefined)
  await using gate = await openServingFor(this, session, flags, listen)
  await serveUntilStopped(
    this,
    session.format,
    {
      repositories,
      ...gate?.options,
      ...access,
    },
    { listen, verbose, served: directory },
  )
}
