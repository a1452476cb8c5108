import { resolve } from 'node:path'
import {
  accessFailure,
  formatPrincipal,
  grantFor,
  parseAccessRules,
  parsePrincipal,
  rolesFor,
} from '#access/index.ts'
import { limits } from '#base/index.ts'
import type { AccessCheckFlags, VerbName } from '../commands/access-check.ts'
import type { Context } from '../context.ts'
import { readWhole } from '../files.ts'
import { openSession } from '../session.ts'
import { print } from '../shell/print.ts'

export async function run(
  this: Context,
  flags: AccessCheckFlags,
  verb: VerbName,
  repository: string,
): Promise<void> {
  await using session = await openSession(this, flags)
  const bytes = await readWhole(resolve(this.cwd, flags.access), limits.accessRulesBytes)
  const rules = parseAccessRules(Buffer.from(bytes).toString())
  const principal = parsePrincipal(flags.as, flags.group)
  const grant = grantFor(rules, principal, verb, repository)
  const held = rolesFor(rules, principal, repository)
  const who = formatPrincipal(principal)
  const answer = {
    allowed: grant !== undefined,
    principal: who,
    verb,
    repository,
    rules: rules.digest,
    roles: held,
  }
  print(this, session.format, { ...answer, ...(grant && { grant }) }, () => {
    if (!grant) return `no: ${who} may not ${verb} in ${repository} (${held.join(', ') || 'no role there'})`
    return [
      `yes: ${who} may ${verb} in ${repository}`,
      `  as ${grant.role}, given to ${grant.to.join(', ')} in ${grant.repositories.join(', ')}`,
    ].join('\n')
  })
  if (!grant) throw accessFailure('ACCESS_DENIED', `${who} may not ${verb} in ${repository}`)
}
