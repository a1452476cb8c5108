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

export type Claims = { readonly [name: string]: Json }

/** Who asks: a guest by its token's claims, a client certificate, an admin; nobody. */
export type Caller =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'guest'; readonly claims: Json; readonly teeKey: Json; readonly initData?: Json }
  | { readonly kind: 'certificate'; readonly identity: string; readonly claims: Json }
  | { readonly kind: 'admin'; readonly principal: Principal }

/**
 * Who a caller is by what stays the same from one attestation to the next (init-data, measurements: as configured, see
 * `identity.ts`); undefined for nobody.
 */
export type IdentityOf = (caller: Caller) => string | undefined

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
  /**
   * What a policy is given as `data` for this request; where it is absent, `plugin`, `resource-path` and `query` as
   * they stand in the request. What is added stands beside these three under the plugin's name.
   *
   * @throws what `handle` would: a request that is none is not asked about
   */
  policyData?(request: PluginRequest): Claims
  handle(request: PluginRequest, at: Date, signal: AbortSignal): Promise<Reply>
  /** What callers are told of this plugin's failures, by their codes; all others are 'the broker failed'. */
  readonly problems?: Problems
}

/** What a caller is told: a status of HTTP, the variant of Trustee's errors, and a text that gives nothing away. */
export interface Problem {
  readonly status: 400 | 401 | 403 | 404 | 405 | 409 | 413 | 415 | 429 | 500 | 503
  /** One of Trustee's (`ErrorVariant` of the attestation room). */
  readonly variant: string
  readonly detail: string
}

export type Problems = Readonly<Record<string, Problem>>
