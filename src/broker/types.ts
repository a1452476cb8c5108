import type { Principal } from '#access/index.ts'
import type { Json } from '#base/index.ts'

/** A value and the revision that it has in its store: opaque, another one with each change. */
export interface Stored {
  readonly value: Uint8Array
  readonly revision: string
}

/**
 * Where secrets lie. Keys are paths of names (`keyNames` of the stores), checked by whoever makes them and again by the
 * store; values are bytes and are never told in an error or a log. Vault, object stores and PKCS #11 must fit without a change.
 */
export interface SecretStore {
  read(key: string, signal?: AbortSignal): Promise<Stored | undefined>
  /** Keys that begin so, in byte order, after `after` (exclusive), at most `limit`. */
  list(
    prefix: string,
    page?: { readonly after?: string; readonly limit?: number },
  ): Promise<readonly string[]>
  /**
   * Writes (or, for `null`, removes) only where the revision is the expected one; `undefined` expects that there is
   * none. @returns the new revision (of what was removed: the old one), or undefined where somebody was faster.
   */
  compareAndSet(
    key: string,
    expectedRevision: string | undefined,
    value: Uint8Array | null,
    signal?: AbortSignal,
  ): Promise<string | undefined>
}

/** Who asks: a guest by its token's claims, a client certificate, an admin; nobody. */
export type Caller =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'guest'; readonly claims: Json; readonly teeKey: Json; readonly initData?: Json }
  | { readonly kind: 'certificate'; readonly identity: string; readonly claims: Json }
  | { readonly kind: 'admin'; readonly principal: Principal }

/** A request to a plugin, taken apart: what the policy sees of it is exactly this (`data.plugin`, ...). */
export interface PluginRequest {
  readonly plugin: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: readonly string[]
  /** The last of duplicates wins. */
  readonly query: Readonly<Record<string, string>>
  readonly body: Uint8Array
  readonly caller: Caller
}

export interface Reply {
  readonly mediaType: string
  readonly body: Uint8Array
  /** What was made for this caller alone is not kept on the way. */
  readonly noStore: boolean
}

/** Something that answers under `/kbs/v0/NAME/...`. */
export interface Plugin {
  readonly name: string
  access(request: Omit<PluginRequest, 'caller'>): 'public' | 'certificate' | 'attested' | 'admin'
  /** Whether the reply is encrypted to the TEE's key. */
  encrypted(request: Omit<PluginRequest, 'caller'>): boolean
  handle(request: PluginRequest, at: Date, signal: AbortSignal): Promise<Reply>
}
