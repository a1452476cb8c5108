import { join } from 'node:path'
import type { Principal, Verb } from '#access/index.ts'
import type { Json } from '#base/index.ts'
import {
  type Action,
  ContentGate,
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
import { permitsOf, recordOf, repositoryIn, thisUser, verbOf } from './permits.ts'

/** The gate that a command asks: the access rules, and the policy where there is one. */
export interface OpenedGate extends AsyncDisposable {
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
 * The gate of the policy that flags or settings name, and of the access rules; undefined where there are neither.
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
  if (path === undefined && settings.accessRules === undefined) return undefined
  const rules = path === undefined ? undefined : prepareRules(await loadRules(context, settings, path))
  const directory = auditDirectory(context, settings, flags)
  const audit = await openAuditPlace(directory, signal)
  const releases = new KnownReleases(releaseDirectory(join(directory, 'releases')))
  const gate = rules && new ContentGate({ rules: () => rules, audit, releases })
  const overrides = await readOverrides(context, flags.override ?? [])
  const environment = flags.environment ?? settings.environment ?? 'production'
  const principal = thisUser()
  const permits = await permitsOf(settings, principal, (record) => audit.append(record))
  const ask: OpenedGate['ask'] = async (action, subjects, more = {}) => {
    const verb = verbOf[action]
    const references = subjects.map(({ reference }) => reference)
    const roles = more.isInquiry ? undefined : await permits?.demand(verb, references)
    if (!gate) return permitted(audit, principal, verb, references)
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

/** Without a policy nothing but the access rules decide; that somebody did it is on record. */
async function permitted(
  audit: OpenAudit,
  principal: Principal,
  verb: Verb,
  references: readonly string[],
): Promise<Verdict> {
  let entry: number | undefined
  for (const repository of new Set(references.map(repositoryIn))) {
    entry = await audit.append(recordOf(principal, verb, repository, true))
  }
  return {
    allowed: true,
    reasons: [],
    outputs: null,
    remembered: false,
    ...(entry !== undefined && { entry }),
  }
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
