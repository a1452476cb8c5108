import { join, resolve } from 'node:path'
import { nodeFileSystem } from '#base/index.ts'
import type { Referrers, Repository, Target } from '#content/index.ts'
import type { Reference } from '#oci/index.ts'
import {
  fileUploadJournal,
  RegistryClient,
  systemRegistryOptions,
  type UploadJournal,
} from '#registry/client/index.ts'
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
    mirrors: new Map(Object.entries(settings.mirrors ?? {})),
    uploads: uploadJournal(context, settings),
    userAgent: `sealift/${version}`,
    onWarning: (registry, text) => tell(context, `${registry} says: ${text}`),
  })
}

/** Beside the claims, where only the user may look. Opened with the first large push: most commands have none. */
function uploadJournal(context: Context, settings: Settings): UploadJournal {
  let opened: Promise<UploadJournal> | undefined
  const journal = () => {
    opened ??= import('#bundle/index.ts').then(async ({ ClaimStore, stateDirectory }) => {
      const { directory } = await ClaimStore.open(settings.stateDir ?? stateDirectory(context.env))
      return fileUploadJournal(join(directory, 'uploads.json'), nodeFileSystem)
    })
    return opened
  }
  return {
    get: async (key) => (await journal()).get(key),
    set: async (key, location) => (await journal()).set(key, location),
    delete: async (key) => (await journal()).delete(key),
  }
}
