import { formatPrincipal } from './principal.ts'
import { matchesPattern, segmentsOf } from './repository-pattern.ts'
import { roles, roleVerbs } from './roles.ts'
import type { AccessRules, Grant, Principal, Role, Verb } from './types.ts'

/** The first grant by which the principal may do this there; undefined where none does, and then they may not. */
export function grantFor(
  rules: AccessRules,
  principal: Principal,
  verb: Verb,
  repository: string,
): Grant | undefined {
  const segments = segmentsOf(repository)
  return grantsOf(rules, principal).find((grant) => allows(grant, verb) && covers(grant, segments))
}

/** Whether some grant lets the principal do this there. What is not granted is denied. */
export const mayDo = (rules: AccessRules, principal: Principal, verb: Verb, repository: string): boolean =>
  grantFor(rules, principal, verb, repository) !== undefined

/** Whether a grant for every repository there is or will be lets the principal do this. */
export const mayDoEverywhere = (rules: AccessRules, principal: Principal, verb: Verb): boolean =>
  grantsOf(rules, principal).some((grant) => allows(grant, verb) && grant.repositories.includes('**'))

/** The grants that are given to the principal, wherever they hold. */
export function grantsOf(rules: AccessRules, principal: Principal): readonly Grant[] {
  const names = namesOf(rules, principal)
  return rules.grants.filter(({ to }) => to.some((grantee) => names.has(grantee)))
}

/** The roles that the principal has in a repository, in the order of the table. */
export function rolesFor(rules: AccessRules, principal: Principal, repository: string): readonly Role[] {
  const segments = segmentsOf(repository)
  const held = grantsOf(rules, principal).filter((grant) => covers(grant, segments))
  return roles.filter((role) => held.some((grant) => grant.role === role))
}

/** Whether what is in a repository is not for everybody: each reading of it is to be recorded. */
export function isProtected(rules: AccessRules, repository: string): boolean {
  const segments = segmentsOf(repository)
  return !rules.grants.some(
    (grant) => grant.to.includes('anonymous') && allows(grant, 'pull') && covers(grant, segments),
  )
}

const allows = ({ role }: Grant, verb: Verb) => roleVerbs[role].includes(verb)

const covers = ({ repositories }: Grant, segments: readonly string[] | undefined) =>
  segments !== undefined && repositories.some((pattern) => matchesPattern(pattern, segments))

/** All that grants may call the principal. Strangers are `anonymous` alone, and everybody is that as well. */
function namesOf(rules: AccessRules, principal: Principal): ReadonlySet<string> {
  if (principal.kind === 'anonymous') return new Set(['anonymous'])
  const own = formatPrincipal(principal)
  const groups = [
    ...(principal.groups ?? []),
    ...Object.keys(rules.groups).filter((group) => rules.groups[group]?.includes(own)),
  ]
  return new Set(['anonymous', '*', own, ...groups.map((group) => `group:${group}`)])
}
