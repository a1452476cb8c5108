import type { Role, Verb } from './types.ts'

export const verbs = [
  'list',
  'pull',
  'push',
  'delete',
  'sign',
  'approve',
  'carry',
  'install',
  'administer',
  'audit',
  'override',
] as const satisfies readonly Verb[]

/** What each role may do. docs/access.md has this table, with reasons; a test holds the two the same. */
export const roleVerbs: Readonly<Record<Role, readonly Verb[]>> = {
  owner: verbs,
  releaser: ['list', 'pull', 'push', 'sign'],
  courier: ['list', 'pull', 'carry'],
  operator: ['list', 'pull', 'install'],
  auditor: ['list', 'pull', 'audit'],
}

export const roles = Object.keys(roleVerbs) as readonly Role[]
