import {
  type AccessRules,
  anonymousPrincipal,
  formatPrincipal,
  grantsOf,
  isProtected,
  mayDo,
  mayDoEverywhere,
  type Principal,
} from '#access/index.ts'

export type { Principal } from '#access/index.ts'

export const anonymous: Principal = anonymousPrincipal

/**
 * One question to whoever decides. `repository` is absent for the catalog; it is `*` where a client wants a blob
 * from any repository that has it (an anonymous mount): to answer yes is to allow pulls from all.
 */
export interface AccessRequest {
  readonly principal: Principal
  readonly verb: 'list' | 'pull' | 'push' | 'delete' | 'catalog'
  readonly repository?: string
  /** The tag or digest, where the request names one. */
  readonly reference?: string
  readonly remoteAddress?: string
}

export interface AccessDecision {
  readonly allowed: boolean
  /** Told to the client when not allowed. */
  readonly reason?: string
  /** Which repositories the catalog may show; all where it is absent. */
  readonly visible?: (repository: string) => boolean
  /** Set where everybody may read it: then nobody waits until a reading is on record. */
  readonly isPublic?: boolean
}

/** The place where a gate is mounted: the server is given one, it does not know one. Must not throw for a no. */
export type Access = (request: AccessRequest, signal: AbortSignal) => Promise<AccessDecision>

/** What applies where no `access` is given but there are passwords: users may do all, others perhaps pull. */
export function passwordAccess(anonymousPull: boolean): Access {
  const yes: AccessDecision = { allowed: true, isPublic: anonymousPull }
  const no: AccessDecision = { allowed: false, reason: 'a user name and password are needed' }
  const open: readonly string[] = anonymousPull ? ['pull', 'list'] : []
  return async ({ principal, verb }) => (principal.kind !== 'anonymous' || open.includes(verb) ? yes : no)
}

/** Rules by repository and role; asked anew each time, as they may change. */
export function rulesAccess(current: () => AccessRules): Access {
  return async ({ principal, verb, repository }) => {
    const rules = current()
    if (verb === 'catalog') return catalogAccess(rules, principal)
    const allowed =
      repository === '*'
        ? mayDoEverywhere(rules, principal, verb)
        : mayDo(rules, principal, verb, repository ?? '')
    if (!allowed) return { allowed, reason: `no grant lets ${formatPrincipal(principal)} ${verb} here` }
    return { allowed, isPublic: repository !== undefined && !isProtected(rules, repository) }
  }
}

/** Who has proved who they are sees what they may list, if that is nothing. */
function catalogAccess(rules: AccessRules, principal: Principal): AccessDecision {
  const isKnown = principal.kind !== 'anonymous' || grantsOf(rules, principal).length > 0
  if (!isKnown) return { allowed: false, reason: 'a user name and password are needed' }
  return { allowed: true, visible: (repository) => mayDo(rules, principal, 'list', repository) }
}
