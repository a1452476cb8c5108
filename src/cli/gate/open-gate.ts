import { userInfo } from 'node:os'
import { join } from 'node:path'
import type { Principal } from '#access/index.ts'
import type { Json } from '#base/index.ts'
import {
  type Action,
  ContentGate,
  type Environment,
  KnownReleases,
  type OpenAudit,
  prepareRules,
  type Question,
  releaseDirectory,
  type Subject,
  type Verdict,
} from '#gate/index.ts'
import { failure } from '../codes.ts'
import type { Context } from '../context.ts'
import type { Session } from '../session.ts'
import { auditDirectory, openAuditPlace } from './audit-place.ts'
import type { GateFlags } from './flags.ts'
import { loadRules, rulesPath } from './load-rules.ts'
import { readOverrides, withOverrides } from './override-files.ts'
import { rolesOver } from './roles.ts'

/** The gate that a command asks, and the folder that it writes to. */
export interface OpenedGate extends AsyncDisposable {
  readonly audit: OpenAudit
  readonly environment: Environment
  readonly principal: Principal
  /** Of the command: ends what it waits for. */
  readonly signal: AbortSignal
  /** Asks for whoever runs the command, with the roles and overrides that they have. @throws NOT_PERMITTED */
  ask(
    action: Action,
    subjects: readonly Subject[],
    more?: Pick<Question, 'context' | 'isInquiry'>,
  ): Promise<Verdict>
  /** Asks, and goes on only after a yes. @throws NOT_ADMITTED, NOT_PERMITTED */
  admit(action: Action, subjects: readonly Subject[], context?: Json): Promise<Verdict>
}

/**
 * The gate of the policy that flags or settings name; undefined where there is none.
 *
 * @throws the codes of `loadRules` and `openAuditPlace`
 */
export async function openGate(
  context: Context,
  session: Session,
  flags: GateFlags,
): Promise<OpenedGate | undefined> {
  const { settings, signal } = session
  const path = rulesPath(context, settings, flags)
  if (path === undefined) return undefined
  const rules = prepareRules(await loadRules(context, settings, path))
  const directory = auditDirectory(context, settings, flags)
  const audit = await openAuditPlace(directory, signal)
  const releases = new KnownReleases(releaseDirectory(join(directory, 'releases')))
  const gate = new ContentGate({ rules: () => rules, audit, releases })
  const overrides = await readOverrides(context, flags.override ?? [])
  const environment = flags.environment ?? settings.environment ?? 'production'
  const principal = thisUser()
  const ask: OpenedGate['ask'] = async (action, subjects, more = {}) => {
    const roles = await rolesOver(context, settings, principal, action, subjects)
    return gate.ask(
      {
        action,
        environment,
        principal,
        ...(roles && { roles }),
        subjects: withOverrides(subjects, overrides),
        ...more,
      },
      signal,
    )
  }
  return {
    audit,
    environment,
    principal,
    signal,
    ask,
    async admit(action, subjects, asked) {
      const verdict = await ask(action, subjects, asked === undefined ? {} : { context: asked })
      if (!verdict.allowed) throw notAdmitted(action, verdict)
      return verdict
    },
    [Symbol.asyncDispose]: () => audit[Symbol.asyncDispose](),
  }
}

/** Whoever runs the command, as the operating system knows it. */
export function thisUser(): Principal {
  return { kind: 'user', name: userInfo().username }
}

export function notAdmitted(action: Action, { reasons, entry }: Verdict) {
  const [first] = reasons
  const lines = reasons.map(({ code, message }) => `${code}: ${message}`)
  const remedies = [...new Set(reasons.flatMap(({ remedy }) => (remedy === undefined ? [] : [remedy])))]
  return failure('NOT_ADMITTED', `the policy does not allow to ${action} this\n  ${lines.join('\n  ')}`, {
    ...(remedies.length > 0 && { hint: remedies.join('\n        ') }),
    detail: { reasons, ...(entry !== undefined && { entry }), ...(first && { reason: first.code }) },
  })
}
