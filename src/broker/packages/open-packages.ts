import type { PackageConfiguration } from '../configuration/types.ts'
import type { Plugin, SecretStore } from '../types.ts'
import { failure } from './codes.ts'
import { loadPackage, type PackageGrants } from './load-package.ts'

/** All that the packages of a configuration made; closed together. */
export interface OpenPackages extends AsyncDisposable {
  /** By their names in `resources.stores`. */
  readonly stores: ReadonlyMap<string, SecretStore>
  readonly plugins: ReadonlyMap<string, Plugin>
}

/**
 * Loads all packages of a configuration, or none.
 *
 * @throws PACKAGE_DIGEST_DIFFERS, PACKAGE_INVALID, and codes of the packages' own
 */
export async function openPackages(
  configured: readonly PackageConfiguration[],
  directory: string,
  grants: PackageGrants,
): Promise<OpenPackages> {
  await using opened = new AsyncDisposableStack()
  const stores = new Map<string, SecretStore>()
  const plugins = new Map<string, Plugin>()
  for (const one of configured) {
    const loaded = await loadPackage(one, directory, grants)
    const [into, made] = loaded.kind === 'store' ? [stores, loaded.store] : [plugins, loaded.plugin]
    opened.use(made)
    if (into.has(loaded.name))
      throw failure('PACKAGE_INVALID', `there are two packages for the ${loaded.kind} ${loaded.name}`)
    into.set(loaded.name, made as never)
  }
  const held = opened.move()
  return { stores, plugins, [Symbol.asyncDispose]: () => held.disposeAsync() }
}
