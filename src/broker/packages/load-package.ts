import { isAbsolute, join } from 'node:path'
import { isFailure } from '#base/index.ts'
import type { PackageConfiguration } from '../configuration/types.ts'
import { isKeyName } from '../stores/index.ts'
import type { IdentityOf, SecretStore } from '../types.ts'
import { failure } from './codes.ts'
import { foreignFailure, kindOf } from './foreign.ts'
import { foreignProblems } from './foreign-problems.ts'
import { GuardedPlugin } from './guarded-plugin.ts'
import { GuardedStore } from './guarded-store.ts'
import { importBytes } from './import-bytes.ts'
import { ownState } from './own-state.ts'
import { isPluginName } from './package-name.ts'
import { readPackage } from './read-package.ts'
import type { PackageContext, PackagePlugin, PackageStore, PluginContext } from './types.ts'

/** What plugins of packages are given of the broker. */
export interface PackageGrants {
  /** The sealed state: each plugin sees the part under its name alone. */
  readonly state: SecretStore
  readonly identity: IdentityOf
}

export type LoadedPackage =
  | { readonly kind: 'store'; readonly name: string; readonly store: GuardedStore }
  | { readonly kind: 'plugin'; readonly name: string; readonly plugin: GuardedPlugin }

type Factory = (options: unknown, context: PackageContext) => unknown

/**
 * Loads a store or plugin of somebody else's: the file is read once, its digest compared, and exactly the bytes that
 * were compared are imported. Nothing of it runs before.
 *
 * @param directory where relative paths begin
 * @throws PACKAGE_DIGEST_DIFFERS, PACKAGE_INVALID, and codes of the package's own
 */
export async function loadPackage(
  configuration: PackageConfiguration,
  directory: string,
  grants: PackageGrants,
): Promise<LoadedPackage> {
  const { path, digest, kind, name, options = {} } = configuration
  if (kind === 'plugin' ? !isPluginName(name) : !isKeyName(name))
    throw failure('PACKAGE_INVALID', `${JSON.stringify(name).slice(0, 100)} is no name for a ${kind}`)
  const bytes = await readPackage(isAbsolute(path) ? path : join(directory, path), digest)
  const { default: factory } = await importBytes(bytes, name)
  if (typeof factory !== 'function')
    throw failure('PACKAGE_INVALID', `the default export of the package ${name} is not a function`)
  const context: PackageContext = {
    name,
    directory,
    failure: (code, message) => foreignFailure(name, code, message),
  }
  if (kind === 'store') {
    const made = await make(factory as Factory, name, options, context)
    return { kind, name, store: storeOf(name, made) }
  }
  const granted: PluginContext = {
    ...context,
    state: ownState(grants.state, `packages/${name}/`),
    identity: grants.identity,
  }
  const made = await make(factory as Factory, name, options, granted)
  return { kind, name, plugin: pluginOf(name, made) }
}

async function make(factory: Factory, name: string, options: unknown, context: PackageContext) {
  try {
    // A copy: what the package does to it is its own affair.
    return await factory(structuredClone(options), context)
  } catch (error) {
    if (isFailure(error)) throw error
    // Options have passwords in them; what was made of them may be in the error's message.
    throw failure('PACKAGE_INVALID', `the package ${name} could not begin: ${kindOf(error)}`)
  }
}

function storeOf(name: string, made: unknown): GuardedStore {
  checkFunctions(name, made, ['read', 'list', 'compareAndSet'], [Symbol.asyncDispose])
  return new GuardedStore(name, made as PackageStore)
}

function pluginOf(name: string, made: unknown): GuardedPlugin {
  checkFunctions(name, made, ['access', 'encrypted', 'handle'], ['policyData', Symbol.asyncDispose])
  const plugin = made as PackagePlugin & { readonly name?: unknown }
  if (plugin.name !== undefined && plugin.name !== name)
    throw failure('PACKAGE_INVALID', `the plugin of the package ${name} calls itself something else`)
  const problems = foreignProblems(plugin.problems)
  if (!problems)
    throw failure('PACKAGE_INVALID', `the problems of the package ${name} are no table of codes X_...`)
  return new GuardedPlugin(name, plugin, problems)
}

function checkFunctions(
  name: string,
  made: unknown,
  needed: readonly PropertyKey[],
  optional: readonly PropertyKey[],
): void {
  const members = made as Readonly<Record<PropertyKey, unknown>> | null | undefined
  for (const member of [...needed, ...optional]) {
    const value = members?.[member]
    if (typeof value === 'function' || (value === undefined && optional.includes(member))) continue
    throw failure(
      'PACKAGE_INVALID',
      `what the package ${name} makes has no function ${typeof member === 'symbol' ? 'asyncDispose' : String(member)}`,
    )
  }
}
