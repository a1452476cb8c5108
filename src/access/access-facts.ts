import { rolesFor } from './decide-access.ts'
import { roleVerbs, verbs } from './roles.ts'
import type { AccessRules, Principal, Role, Verb } from './types.ts'

/** What the rules say of one principal, as input of a policy: plain JSON, in a fixed order. */
export interface AccessFacts {
  readonly principal: {
    readonly kind: Principal['kind']
    readonly name: string
    readonly groups: readonly string[]
  }
  /** Digest of the rules. */
  readonly rules: string
  readonly repositories: readonly {
    readonly name: string
    readonly roles: readonly Role[]
    readonly verbs: readonly Verb[]
  }[]
}

/** Facts, not a decision: which roles the principal has in these repositories, and what they may do with them. */
export function accessFacts(
  rules: AccessRules,
  principal: Principal,
  repositories: readonly string[],
): AccessFacts {
  const { kind, name, groups = [] } = principal
  return {
    principal: { kind, name, groups: [...groups].sort() },
    rules: rules.digest,
    repositories: [...new Set(repositories)].sort().map((repository) => {
      const held = rolesFor(rules, principal, repository)
      return {
        name: repository,
        roles: held,
        verbs: verbs.filter((verb) => held.some((role) => roleVerbs[role].includes(verb))),
      }
    }),
  }
}
