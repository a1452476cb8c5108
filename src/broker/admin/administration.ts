import { type AccessRules, formatPrincipal, mayDo, type Verb } from '#access/index.ts'
import type { AccessRecord, Audit } from '#gate/index.ts'
import { failure } from '../codes.ts'
import type { AdminHandler, AdminHandlers, AdminRequest, BrokerReply } from '../face.ts'
import { problems as brokerProblems } from '../problems.ts'
import { type Answer, done, refusal } from '../replies.ts'
import type { Plugin, Problems } from '../types.ts'

export interface AdministrationParts {
  /** By the name that they answer under. */
  readonly plugins: ReadonlyMap<string, Plugin>
  /** Who may what; asked for with each request, before anything else. */
  readonly rules: () => Promise<AccessRules>
  readonly administration: readonly AdminHandlers[]
  /** Where readings and changes by admins are written down. */
  readonly audit?: Audit
}

/** One thing that an admin wants, before anybody looked whether they may. */
interface Wish {
  /** For logs and metrics: one of few words. */
  readonly call: string
  readonly verb: Verb
  /** A pseudo-repository (`broker/policies/resource`), or the repository of a resource. */
  readonly repository: string
  readonly reference: string
  readonly isChange: boolean
  /** Whether it is looked at here who may: plugins that know of roles do that themselves. */
  readonly isGuarded: boolean
  /** What a plugin gives to those that attested alone: no admin's rights stand for a resource policy. */
  readonly isForGuests: boolean
  readonly problems: Problems
  readonly act: (at: Date, signal: AbortSignal) => Promise<Answer>
}

/**
 * What admins do: policies, reference values, keys, leases, and the resources themselves. All of it is written down:
 * a change before it is made, a reading before it is answered, a refusal too.
 */
export class Administration {
  readonly #parts: AdministrationParts
  readonly #handlers = new Map<string, { readonly handler: AdminHandler; readonly problems: Problems }>()

  constructor(parts: AdministrationParts) {
    this.#parts = parts
    for (const { handlers, kbs = {}, problems } of parts.administration) {
      for (const [name, handler] of Object.entries(handlers))
        this.#handlers.set(`admin ${name}`, { handler, problems })
      for (const [name, handler] of Object.entries(kbs))
        this.#handlers.set(`kbs ${name}`, { handler, problems })
    }
  }

  async answer(request: AdminRequest, at: Date, signal: AbortSignal): Promise<BrokerReply> {
    const caller = formatPrincipal(request.principal)
    let wish: Wish | undefined
    // Whoever has no rights is told nothing of rules that cannot be read.
    let isTrusted = true
    try {
      wish = this.#wishOf(request)
      isTrusted = false
      // Plugins that look at roles themselves see the same rules.
      const rules = await this.#parts.rules()
      isTrusted = true
      check(rules, wish, request)
      if (wish.isChange) await this.#write(wish, request, at, undefined)
      const answer = await wish.act(at, signal)
      if (!wish.isChange) await this.#write(wish, request, at, undefined)
      return done(wish.call, { ...answer, caller })
    } catch (error) {
      const reply = refusal(
        wish?.call ?? 'unknown',
        error,
        { ...brokerProblems, ...wish?.problems },
        { caller, isTrusted },
      )
      const isRefused = wish && (reply.status === 401 || reply.status === 403)
      return isRefused ? this.#refused(wish!, request, at, reply) : reply
    }
  }

  /** A refusal that cannot be written down is one all the same. */
  async #refused(wish: Wish, request: AdminRequest, at: Date, reply: BrokerReply): Promise<BrokerReply> {
    try {
      await this.#write(wish, request, at, reply.outcome.code)
      return reply
    } catch (error) {
      return refusal(wish.call, error, brokerProblems, { caller: formatPrincipal(request.principal) })
    }
  }

  #wishOf(request: AdminRequest): Wish {
    const { api, path, method } = request
    const [name = '', ...rest] = path
    const plugin = api === 'kbs' ? this.#parts.plugins.get(name) : undefined
    if (plugin) return this.#wishOfPlugin(plugin, request, rest)
    const known = this.#handlers.get(`${api} ${name}`)
    if (!known) throw failure('BROKER_PATH_UNKNOWN', `there is no ${name} to administer`)
    const isChange = method !== 'GET'
    return {
      call: name,
      verb: isChange ? 'administer' : 'audit',
      repository: `broker/${placeOf(api, name, rest)}`,
      reference: rest.join('/'),
      isChange,
      isGuarded: true,
      isForGuests: false,
      problems: known.problems,
      act: (at, signal) => known.handler(request, at, signal),
    }
  }

  #wishOfPlugin(plugin: Plugin, { method, query, body, principal }: AdminRequest, path: string[]): Wish {
    const isChange = method !== 'GET'
    const isResource = plugin.name === 'resource'
    const asked = { plugin: plugin.name, method, path, query, body }
    const access = isResource ? 'admin' : plugin.access(asked)
    const verbs = {
      GET: path.length === 0 ? 'list' : 'pull',
      POST: 'push',
      PUT: 'push',
      DELETE: 'delete',
    } as const
    return {
      call: plugin.name,
      verb: isResource ? verbs[method] : isChange ? 'administer' : 'audit',
      repository: isResource ? (path[0] ?? '**') : `broker/${plugin.name}`,
      reference: path.join('/'),
      isChange,
      isGuarded: !isResource,
      isForGuests: access === 'attested' || access === 'certificate',
      problems: plugin.problems ?? {},
      act: (at, signal) => plugin.handle({ ...asked, caller: { kind: 'admin', principal } }, at, signal),
    }
  }

  async #write(
    wish: Wish,
    { principal }: AdminRequest,
    at: Date,
    refused: string | undefined,
  ): Promise<void> {
    const { kind, name, groups } = principal
    const record: AccessRecord = {
      type: 'access',
      at: at.toISOString(),
      principal: { kind, name, ...(groups && { groups }) },
      verb: wish.verb,
      repository: recorded(wish.repository),
      ...(wish.reference && { reference: recorded(wish.reference) }),
      allowed: refused === undefined,
      ...(refused !== undefined && { reason: refused }),
    }
    await this.#parts.audit?.append(record)
  }
}

/** What was cut in the middle of a character is told as well as it can be: no name keeps a refusal out of the log. */
const recorded = (name: string): string => name.slice(0, 1024).toWellFormed()

/** @throws BROKER_ADMIN_DENIED */
function check(
  rules: AccessRules,
  { isGuarded, isForGuests, verb, repository }: Wish,
  { principal }: AdminRequest,
): void {
  if (isForGuests)
    throw failure('BROKER_ADMIN_DENIED', `what is asked of ${repository} is for attested guests alone`)
  if (!isGuarded || mayDo(rules, principal, verb, repository)) return
  // Who may change a thing may look at it.
  if (verb === 'audit' && mayDo(rules, principal, 'administer', repository)) return
  throw failure('BROKER_ADMIN_DENIED', `${formatPrincipal(principal)} may not ${verb} ${repository}`)
}

/** Trustee's calls are about the same things under other names. */
const trusteePlaces: Readonly<Record<string, string>> = {
  'resource-policy': 'policies/resource',
  'attestation-policy': 'policies/attestation',
  'reference-value': 'references',
}

function placeOf(api: AdminRequest['api'], name: string, rest: readonly string[]): string {
  if (api === 'kbs') return trusteePlaces[name] ?? name
  if (name !== 'policies') return name
  const [kind, id] = rest
  if (kind === undefined) return 'policies'
  return kind === 'attestation' && id !== undefined ? `policies/attestation/${id}` : `policies/${kind}`
}
