import { resolve } from 'node:path'
import type { Referrers, Repository, Target } from '#content/index.ts'
import type { Reference } from '#oci/index.ts'
import { RegistryClient, systemRegistryOptions } from '#registry/index.ts'
import type { Context } from './context.ts'
import type { RegistryFlags } from './flags.ts'
import type { Settings } from './settings.ts'
import { tell } from './shell/print.ts'
import { version } from './version.ts'

/** All registries that a command talks to: connections, tokens and knowledge are shared. */
export interface Registries extends AsyncDisposable {
  repository(reference: Pick<Reference, 'registry' | 'repository'>): Repository & Target & Referrers
}

/** With the credentials, certificates and proxies of this machine, as docker and podman find them. */
export async function openRegistries(
  context: Context,
  settings: Settings,
  flags: RegistryFlags,
): Promise<Registries> {
  const file = flags.authFile
  const env =
    file === undefined ? context.env : { ...context.env, REGISTRY_AUTH_FILE: resolve(context.cwd, file) }
  return new RegistryClient({
    ...systemRegistryOptions(env),
    plainHttp: [...(flags.plainHttp ?? []), ...(settings.plainHttp ?? [])],
    userAgent: `sealift/${version}`,
    onWarning: (registry, text) => tell(context, `${registry} says: ${text}`),
  })
}
