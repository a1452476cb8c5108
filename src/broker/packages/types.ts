// What stores and plugins of others are written against (docs/broker-extensions.md).
import type { SealiftError } from '#base/index.ts'
import type { Caller, Claims, IdentityOf, Plugin, PluginRequest, SecretStore } from '../types.ts'

export type PackageOptions = { readonly [name: string]: unknown }

/** What a package is handed beside its options. */
export interface PackageContext {
  /** As configured: what it answers under, or what the configuration calls the store. */
  readonly name: string
  /** Of the configuration: where relative paths in the options begin. */
  readonly directory: string
  /**
   * An error whose code (`X_...`) is told and logged; its message goes into the log, and to admins, so no secret
   * belongs into it. Of all other errors nothing but their kind is told.
   */
  failure(code: string, message: string): SealiftError
}

/** The default export of a package of the kind `store`. */
export type StoreFactory = (
  options: PackageOptions,
  context: PackageContext,
) => PackageStore | Promise<PackageStore>

/** Closed with the broker where it says how. */
export type PackageStore = SecretStore & Partial<AsyncDisposable>

/** The default export of a package of the kind `plugin`. */
export type PluginFactory = (
  options: PackageOptions,
  context: PluginContext,
) => PackagePlugin | Promise<PackagePlugin>

export interface PluginContext extends PackageContext {
  /** A part of the broker's sealed state that is the plugin's own: shared by all replicas. */
  readonly state: SecretStore
  /** Who a caller is by what stays the same from one attestation to the next. */
  readonly identity: IdentityOf
}

/** A plugin, but for its name: that is configured. Codes in `problems` are those given to `context.failure`. */
export type PackagePlugin = Omit<Plugin, 'name' | 'policyData'> &
  Partial<AsyncDisposable> & {
    /** What the policy sees as `data.request[NAME]`, beside what stands in the request itself: a JSON object. */
    policyData?(request: PluginRequest & { readonly caller: Caller }): Claims
  }
