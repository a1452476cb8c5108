import { resolve } from 'node:path'
import { openDataDirectory } from '#content/index.ts'
import { failure } from '../codes.ts'
import type { RegistryServeFlags } from '../commands/registry-serve.ts'
import type { Context } from '../context.ts'
import { serveUntilStopped, warnIfOpen } from '../serve-until-stopped.ts'
import { openSession } from '../session.ts'

export async function run(this: Context, flags: RegistryServeFlags, directory: string): Promise<void> {
  const { htpasswd, tlsCert, tlsKey, anonymousPull, listen, verbose } = flags
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw failure('USAGE', '--tls-cert and --tls-key belong together')
  }
  if (anonymousPull && htpasswd === undefined) {
    throw failure('USAGE', '--anonymous-pull is for a registry with --htpasswd')
  }
  await using session = await openSession(this, flags)
  const at = (path: string) => resolve(this.cwd, path)
  const repositories = await openDataDirectory(at(directory))
  warnIfOpen(this, listen, htpasswd !== undefined)
  const tls =
    tlsCert === undefined || tlsKey === undefined
      ? undefined
      : { certificatePath: at(tlsCert), keyPath: at(tlsKey) }
  await serveUntilStopped(
    this,
    session.format,
    {
      repositories,
      ...(htpasswd !== undefined && { htpasswd: { path: at(htpasswd), anonymousPull } }),
      ...(tls && { tls }),
    },
    { listen, verbose, served: directory },
  )
}
