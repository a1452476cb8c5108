import { userInfo } from 'node:os'
import {
  type AccessRules,
  formatPrincipal,
  mayDo,
  type Principal,
  parseAccessRules,
  type Role,
  rolesFor,
  type Verb,
} from '#access/index.ts'
import { limits } from '#base/index.ts'
import type { AccessRecord, Action } from '#gate/index.ts'
import { parseReference } from '#oci/index.ts'
import { failure } from '../codes.ts'
import type { Context } from '../context.ts'
import { readWhole } from '../files.ts'
import type { Session } from '../session.ts'
import type { Settings } from '../settings.ts'

/** Whoever runs the command, as the operating system knows it. */
export function thisUser(): Principal {
  return { kind: 'user', name: userInfo().username }
}

/** What somebody must be allowed who does this with a content. */
export const verbOf: Readonly<Record<Action, Verb>> = {
  pack: 'carry',
  load: 'carry',
  relocate: 'push',
  install: 'install',
  serve: 'pull',
  admit: 'install',
  release: 'pull',
}

/** What the access rules let somebody do with contents. */
export interface Permits {
  /**
   * The roles that they have over all of these references.
   *
   * @throws NOT_PERMITTED where no grant lets them do it with one of them
   */
  demand(verb: Verb, references: readonly string[]): Promise<readonly Role[]>
}

/**
 * The permits of whoever runs the command, by the rules that the settings name; undefined where they name none.
 *
 * @param record keeps each refusal, before it is told
 * @throws ACCESS_RULES_INVALID, FILE_SYSTEM
 */
export async function permitsOf(
  { accessRules }: Settings,
  principal: Principal,
  record: (record: AccessRecord) => Promise<unknown>,
): Promise<Permits | undefined> {
  if (accessRules === undefined) return undefined
  const bytes = await readWhole(accessRules, limits.accessRulesBytes)
  const rules = parseAccessRules(Buffer.from(bytes).toString())
  return {
    async demand(verb, references) {
      const repositories = [...new Set(references.map(repositoryIn))]
      const closed = repositories.find((repository) => !mayDo(rules, principal, verb, repository))
      if (closed === undefined) return rolesOverAll(rules, principal, repositories)
      const reason = `no grant lets ${formatPrincipal(principal)} ${verb} ${closed}`
      await record(recordOf(principal, verb, closed, false, reason))
      throw failure('NOT_PERMITTED', reason, {
        detail: { principal: formatPrincipal(principal), verb, repository: closed },
      })
    },
  }
}

/**
 * Where there are access rules: whoever runs the command may sign these, and that they did (or were refused) is on
 * record.
 *
 * @throws NOT_PERMITTED, and the codes of `permitsOf` and of opening the audit folder
 */
export async function demandSigning(
  context: Context,
  { settings, signal }: Session,
  references: readonly string[],
  verb: 'sign' | 'override' = 'sign',
): Promise<void> {
  if (settings.accessRules === undefined) return
  const { auditDirectory, openAuditPlace } = await import('./audit-place.ts')
  const principal = thisUser()
  await using audit = await openAuditPlace(auditDirectory(context, settings, {}), signal)
  const permits = await permitsOf(settings, principal, (record) => audit.append(record))
  await permits?.demand(verb, references)
  for (const repository of new Set(references.map(repositoryIn))) {
    await audit.append(recordOf(principal, verb, repository, true))
  }
}

export function recordOf(
  { kind, name, groups }: Principal,
  verb: Verb,
  repository: string,
  allowed: boolean,
  reason?: string,
): AccessRecord {
  return {
    type: 'access',
    at: new Date().toISOString(),
    principal: { kind, name, ...(groups && { groups }) },
    verb,
    repository,
    allowed,
    ...(reason !== undefined && { reason }),
  }
}

function rolesOverAll(
  rules: AccessRules,
  principal: Principal,
  repositories: readonly string[],
): readonly Role[] {
  const held = repositories.map((repository) => rolesFor(rules, principal, repository))
  return (held[0] ?? []).filter((role) => held.every((roles) => roles.includes(role)))
}

/** Without the registry: grants are about repositories, wherever they are. */
export function repositoryIn(reference: string): string {
  try {
    return parseReference(reference).repository
  } catch {
    return reference
  }
}
