import { failure } from './codes.ts'
import type { Principal } from './types.ts'

const kinds = ['user', 'key', 'certificate', 'service'] as const

/** Nobody in particular. */
export const anonymousPrincipal: Principal = Object.freeze({ kind: 'anonymous', name: '' })

/** How grants name a principal: `user:ada`, `anonymous`. */
export const formatPrincipal = ({ kind, name }: Principal): string =>
  kind === 'anonymous' ? kind : `${kind}:${name}`

/** @throws PRINCIPAL_INVALID */
export function parsePrincipal(text: string, groups: readonly string[] = []): Principal {
  if (text === 'anonymous' && groups.length === 0) return anonymousPrincipal
  const kind = kinds.find((known) => text.startsWith(`${known}:`))
  const name = kind ? text.slice(kind.length + 1) : ''
  if (!kind || !isPrincipalName(name) || !groups.every(isPrincipalName)) {
    throw failure('PRINCIPAL_INVALID', `${JSON.stringify(text)} does not name somebody who can act`)
  }
  return { kind, name, ...(groups.length > 0 && { groups }) }
}

/** Any text on one line, without white space at its ends: nothing that could look like another name. */
export const isPrincipalName = (name: string): boolean =>
  name.length > 0 && name.length <= 512 && name === name.trim() && !/[\p{C}\p{Zl}\p{Zp}]/u.test(name)

/** Whether a grant can be given to it. */
export function isGrantee(text: string): boolean {
  return text === '*' || text === 'anonymous' || isGroup(text) || isMember(text)
}

const isGroup = (text: string) => text.startsWith('group:') && isPrincipalName(text.slice(6))

/** Whether it can be a member of a group. */
export const isMember = (text: string): boolean =>
  kinds.some((kind) => text.startsWith(`${kind}:`) && isPrincipalName(text.slice(kind.length + 1)))
