import type { AccessRules } from '#access/index.ts'
import { rolesFor } from '#access/index.ts'
import type { FileSystem } from '#base/index.ts'
import type { BrokerConfiguration } from './configuration/types.ts'
import type { AdminHandlers } from './face.ts'
import { openNebula } from './nebula/index.ts'
import { openPackages } from './packages/index.ts'
import { openPki, type Pki } from './pki/index.ts'
import { openStores, resourcePlugin } from './resource/index.ts'
import type { ChangingKeyring } from './stores/index.ts'
import type { IdentityOf, Plugin, SecretStore } from './types.ts'

export interface OpenPluginsOptions {
  readonly directory: string
  readonly state: SecretStore
  readonly keyring: ChangingKeyring
  readonly identity: IdentityOf
  /** As they were when somebody last asked about an admin. */
  readonly rules: () => AccessRules
  readonly fs: FileSystem
  readonly now: () => Date
}

/** All that answers under a name of its own, and what of it admins have to do with. */
export interface OpenedPlugins extends AsyncDisposable {
  readonly plugins: ReadonlyMap<string, Plugin>
  readonly administration: readonly AdminHandlers[]
  /** Whose a client certificate is. */
  readonly pki?: Pki
}

/** @throws the codes of stores, packages, Nebula and the PKI */
export async function openPlugins(
  { resources, packages: configured = [], nebula: nebulaTerms, pki: pkiTerms }: BrokerConfiguration,
  { directory, state, keyring, identity, rules, fs, now }: OpenPluginsOptions,
): Promise<OpenedPlugins> {
  await using stack = new AsyncDisposableStack()
  const packages = stack.use(await openPackages(configured, directory, { state, identity }))
  const stores = stack.use(await openStores(resources, { directory, keyring, fs, given: packages.stores }))
  const plugins = new Map<string, Plugin>(packages.plugins)
  const administration: AdminHandlers[] = []
  const add = (plugin: Plugin) => plugins.set(plugin.name, plugin)
  add(
    resourcePlugin({
      configuration: { version: 1, ...resources },
      stores: stores.stores,
      rolesOf: (principal, repository) => rolesFor(rules(), principal, repository),
    }),
  )
  if (nebulaTerms) {
    const nebula = stack.use(await openNebula(state, nebulaTerms, { identity, now }))
    add(nebula.plugin)
    administration.push(nebula.administration)
  }
  const pki = pkiTerms && openPki(state, pkiTerms, { identity })
  if (pki) {
    add(pki.plugin)
    administration.push(pki.administration)
  }
  const running = stack.move()
  return {
    plugins,
    administration,
    ...(pki && { pki }),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}
