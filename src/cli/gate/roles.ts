import {
  formatPrincipal,
  mayDo,
  type Principal,
  parseAccessRules,
  type Role,
  rolesFor,
  type Verb,
} from '#access/index.ts'
import { limits } from '#base/index.ts'
import type { Action, Subject } from '#gate/index.ts'
import { parseReference } from '#oci/index.ts'
import { failure } from '../codes.ts'
import type { Context } from '../context.ts'
import { readWhole } from '../files.ts'
import type { Settings } from '../settings.ts'

/** What somebody must be allowed who does this with a content. */
const verbOf: Readonly<Partial<Record<Action, Verb>>> = {
  pack: 'pull',
  load: 'push',
  relocate: 'push',
  install: 'install',
  serve: 'pull',
}

/**
 * The roles that somebody has over all of these contents, by the access rules that the settings name; undefined
 * where they name none.
 *
 * @throws NOT_PERMITTED where no grant lets them do it, ACCESS_RULES_INVALID
 */
export async function rolesOver(
  _context: Context,
  { accessRules }: Settings,
  principal: Principal,
  action: Action,
  subjects: readonly Subject[],
): Promise<readonly Role[] | undefined> {
  if (accessRules === undefined) return undefined
  const bytes = await readWhole(accessRules, limits.accessRulesBytes)
  const rules = parseAccessRules(Buffer.from(bytes).toString())
  const repositories = [...new Set(subjects.map(({ reference }) => repositoryIn(reference)))]
  const verb = verbOf[action]
  const closed = repositories.find(
    (repository) => verb !== undefined && !mayDo(rules, principal, verb, repository),
  )
  if (closed !== undefined) {
    throw failure('NOT_PERMITTED', `no grant lets ${formatPrincipal(principal)} ${action} ${closed}`, {
      detail: { principal: formatPrincipal(principal), verb, repository: closed },
    })
  }
  const held = repositories.map((repository) => rolesFor(rules, principal, repository))
  return (held[0] ?? []).filter((role) => held.every((roles) => roles.includes(role)))
}

/** Without the registry: grants are about repositories, wherever they are. */
function repositoryIn(reference: string): string {
  try {
    return parseReference(reference).repository
  } catch {
    return reference
  }
}
