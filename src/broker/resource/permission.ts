import type { Principal, Role } from '#access/index.ts'
import type { Caller } from '../types.ts'
import type { StoreConfiguration, StoreUser, StoreVerb } from './types.ts'

/** The roles of an admin on a repository: `rolesFor` of the access room with the broker's rules. */
export type RolesOf = (principal: Principal, repository: string) => readonly Role[]

const defaultVerbs: Readonly<Record<StoreVerb, readonly StoreUser[]>> = {
  read: ['guest'],
  list: ['owner'],
  write: ['owner'],
  rotate: ['owner'],
  delete: ['owner'],
}

/** Whether the caller may do this in the store. Nobody may for whom nothing is said. */
export function mayUse(
  { verbs = {} }: Pick<StoreConfiguration, 'verbs'>,
  verb: StoreVerb,
  caller: Caller,
  repository: string,
  rolesOf: RolesOf,
): boolean {
  const users = verbs[verb] ?? defaultVerbs[verb]
  if (caller.kind === 'admin')
    return rolesOf(caller.principal, repository).some((role) => users.includes(role))
  return caller.kind !== 'anonymous' && users.includes(caller.kind)
}
