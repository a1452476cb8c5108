/** Who asks: the user name that a password proved, or nobody. */
export type Principal = { readonly kind: 'anonymous' } | { readonly kind: 'user'; readonly name: string }

export const anonymous: Principal = { kind: 'anonymous' }

/**
 * One question to whoever decides. `repository` is absent for the catalog; it is `*` where a client wants a blob
 * from any repository that has it (an anonymous mount): to answer yes is to allow pulls from all.
 */
export interface AccessRequest {
  readonly principal: Principal
  readonly verb: 'pull' | 'push' | 'delete' | 'catalog'
  readonly repository?: string
  /** The tag or digest, where the request names one. */
  readonly reference?: string
  readonly remoteAddress?: string
}

export interface AccessDecision {
  readonly allowed: boolean
  /** Told to the client when not allowed. */
  readonly reason?: string
}

/** The place where a gate is mounted: the server is given one, it does not know one. Must not throw for a no. */
export type Access = (request: AccessRequest, signal: AbortSignal) => Promise<AccessDecision>

/** What applies where no `access` is given but there are passwords: users may do all, others perhaps pull. */
export function passwordAccess(anonymousPull: boolean): Access {
  const yes: AccessDecision = { allowed: true }
  const no: AccessDecision = { allowed: false, reason: 'a user name and password are needed' }
  return async ({ principal, verb }) =>
    principal.kind === 'user' || (anonymousPull && verb === 'pull') ? yes : no
}
