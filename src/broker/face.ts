// What the broker is to whoever carries requests to it: HTTP on two listeners, or a command beside its directory.
import type { Principal } from '#access/index.ts'
import type { PluginRequest, Problems, Reply } from './types.ts'

/** A request without what HTTP wraps it into. */
export interface BrokerRequest {
  readonly method: PluginRequest['method']
  /** Percent-decoded names behind `/kbs/v0/` (guests, and Trustee's admin calls) or `/admin/v1/`. */
  readonly path: readonly string[]
  /** The last of duplicates wins. */
  readonly query: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** The proofs that come with a guest's request. None has been looked at yet. */
export interface GuestRequest extends BrokerRequest {
  /** Of the cookie `kbs-session-id`. */
  readonly sessionId?: string
  /** Of `Authorization: Bearer`. */
  readonly bearer?: string
  /** The client certificate in DER whose key the TLS peer proved to hold; whoever issued it. */
  readonly certificate?: Uint8Array
}

/** An admin's request: the principal was proved by whoever took the request in. */
export interface AdminRequest extends BrokerRequest {
  readonly principal: Principal
  /** `kbs`: a path of Trustee's protocol; `admin`: one of our own. */
  readonly api: 'kbs' | 'admin'
}

/** Answers one word of the admin API; whether the principal may was asked before. Failures have codes (`problems`). */
export type AdminHandler = (request: AdminRequest, at: Date, signal: AbortSignal) => Promise<Reply>

/** What one room gives to the admin API: handlers by the first name of the path. */
export interface AdminHandlers {
  readonly handlers: Readonly<Record<string, AdminHandler>>
  /** The same for Trustee's own admin calls under `/kbs/v0/` (`resource-policy`), which are no plugins. */
  readonly kbs?: Readonly<Record<string, AdminHandler>>
  readonly problems: Problems
}

export interface BrokerReply extends Reply {
  readonly status: number
  /** Sent as `Set-Cookie: kbs-session-id=VALUE; Expires=...; ...`. */
  readonly cookie?: { readonly value: string; readonly expires: Date }
  /** What a face counts and logs: never part of what is sent. */
  readonly outcome: Outcome
}

/** What became of a request, for logs and metrics: all of it except secrets. */
export interface Outcome {
  /** Which kind of call: `auth`, `attest`, `resource`, `nebula-ca`, `pki`, `resource-policy`, `unknown`... (few words). */
  readonly call: string
  readonly status: number
  /** The code of the failure, where there was one, and its whole message: for the log, not for the caller. */
  readonly code?: string
  readonly message?: string
  /** Who asked, as far as it was proved. */
  readonly caller?: string
  /** Index of the audit log's entry. */
  readonly entry?: number
}

/** A key broker. None of its methods throws for what a caller did: a refusal is a reply. */
export interface BrokerFace {
  guest(request: GuestRequest, signal: AbortSignal): Promise<BrokerReply>
  admin(request: AdminRequest, signal: AbortSignal): Promise<BrokerReply>
  /** Why it cannot serve now (a store that does not answer), or undefined. Says nothing secret. */
  notReady(signal: AbortSignal): Promise<string | undefined>
  /** Numbers for metrics: sessions alive, resources served, ... by name (`sealift_broker_...` is added by the face). */
  gauges(): Readonly<Record<string, number>>
}
