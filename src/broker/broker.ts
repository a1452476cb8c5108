import { encryptTo, type ProtocolVersion, versionOfKey } from '#attestation/index.ts'
import { Administration, type AdministrationParts } from './admin/administration.ts'
import { failure } from './codes.ts'
import type { AdminRequest, BrokerFace, BrokerReply, GuestRequest } from './face.ts'
import { callerPrincipal } from './handshake/guest-principal.ts'
import { Handshake, type HandshakeParts, type Step } from './handshake/handshake.ts'
import { problems as handshakeProblems } from './handshake/problems.ts'
import { callerOf, type Guest, Tokens } from './handshake/tokens.ts'
import { problems as brokerProblems } from './problems.ts'
import { type Answer, done, refusal } from './replies.ts'
import type { Session } from './sessions/types.ts'
import type { Caller, Claims, Plugin, PluginRequest } from './types.ts'

export interface BrokerParts extends HandshakeParts, AdministrationParts {
  /** Whose client certificate this is, where the broker's own authority issued it and it is good. */
  readonly certificateCaller?: (certificate: Uint8Array, at: Date) => Promise<Caller | undefined>
  /** Why a store does not answer, or undefined. */
  readonly notReady: (signal: AbortSignal) => Promise<string | undefined>
  readonly now?: () => Date
}

/** Who asks for something of a plugin, and how an answer is to be closed for them. */
interface Asking {
  readonly caller: Caller
  readonly guest?: Guest & { readonly teeKey: NonNullable<Guest['teeKey']> }
  readonly version: ProtocolVersion
}

/** The calls that are for admins whatever a plugin says. */
const adminCalls: ReadonlySet<string> = new Set(['resource-policy', 'attestation-policy', 'reference-value'])

/**
 * The key broker: route, parse, ask the gate, act, reply. It keeps nothing that matters: sessions, keys, policies,
 * leases and the log are in the stores that it is given, so that any number of replicas answer for each other.
 */
export class Broker implements BrokerFace {
  readonly #parts: BrokerParts
  readonly #handshake: Handshake
  readonly #tokens: Tokens
  readonly #administration: Administration
  readonly #now: () => Date
  #released = 0
  #attested = 0

  constructor(parts: BrokerParts) {
    this.#parts = parts
    this.#handshake = new Handshake(parts)
    this.#tokens = new Tokens(parts.tokenKeys)
    this.#administration = new Administration(parts)
    this.#now = parts.now ?? (() => new Date())
  }

  async guest(request: GuestRequest, signal: AbortSignal): Promise<BrokerReply> {
    const [call = ''] = request.path
    const plugin = this.#parts.plugins.get(call)
    const name = plugin || calls.has(call) || adminCalls.has(call) ? call : 'unknown'
    try {
      return done(name, await this.#answer(call, plugin, request, signal))
    } catch (error) {
      return refusal(name, error, { ...brokerProblems, ...handshakeProblems, ...plugin?.problems })
    }
  }

  async admin(request: AdminRequest, signal: AbortSignal): Promise<BrokerReply> {
    return this.#administration.answer(request, this.#now(), signal)
  }

  notReady(signal: AbortSignal): Promise<string | undefined> {
    return this.#parts.notReady(signal)
  }

  gauges(): Readonly<Record<string, number>> {
    const { sessions } = this.#parts
    return { sessions: sessions.count, attested_total: this.#attested, released_total: this.#released }
  }

  #answer(
    call: string,
    plugin: Plugin | undefined,
    request: GuestRequest,
    signal: AbortSignal,
  ): Promise<Answer> {
    const at = this.#now()
    const { method, path } = request
    if (plugin) return this.#use(plugin, request, at, signal)
    if (adminCalls.has(call)) throw failure('BROKER_ADMIN_ONLY', `a guest asked for ${call}`)
    if (path.length === 1 && calls.get(call) === method) {
      if (call === 'auth') return this.#auth(request, at, signal)
      if (call === 'attest') return this.#attest(request, at, signal)
      return this.#public(call, at)
    }
    throw failure('BROKER_PATH_UNKNOWN', 'a guest asked for what is not there')
  }

  async #auth({ body }: GuestRequest, at: Date, signal: AbortSignal): Promise<Answer> {
    return stepDone(await this.#handshake.auth(body, at, signal))
  }

  async #attest({ body, sessionId }: GuestRequest, at: Date, signal: AbortSignal): Promise<Answer> {
    const session = await this.#sessionOf(sessionId, at, signal)
    if (!session) throw failure('BROKER_SESSION_UNKNOWN', 'there is no such session, or it has ended')
    const step = await this.#handshake.attest(session, body, at, signal)
    if (step.guest && step.session.token !== undefined) {
      this.#attested++
      await this.#tokens.remember(step.session.token, step.guest, at)
    }
    return stepDone(step)
  }

  /** What other services check tokens with. */
  async #public(call: string, at: Date): Promise<Answer> {
    const { tokenKeys } = this.#parts
    if (call === 'token-keys') {
      return { mediaType: 'application/jwk-set+json', body: await tokenKeys.jwkSet(at), noStore: false }
    }
    const body = Buffer.from(await tokenKeys.certificates(at))
    return { mediaType: 'application/x-pem-file', body, noStore: false }
  }

  async #use(plugin: Plugin, request: GuestRequest, at: Date, signal: AbortSignal): Promise<Answer> {
    const [, ...path] = request.path
    const { method, query, body } = request
    // No reader of the log takes it: what nobody could read is not asked either.
    if (Object.hasOwn(query, '__proto__'))
      throw failure('BROKER_REQUEST_INVALID', 'a parameter of the query has the name __proto__')
    const asked = { plugin: plugin.name, method, path, query, body }
    const access = plugin.access(asked)
    if (access === 'admin')
      throw failure('BROKER_ADMIN_ONLY', `a guest asked ${plugin.name} for what is not its`)
    if (access === 'public') return plugin.handle({ ...asked, caller: { kind: 'anonymous' } }, at, signal)
    const asking = await this.#whoAsks(request, access, at, signal)
    const whole: PluginRequest = { ...asked, caller: asking.caller }
    const entry = await this.#askGate(plugin, whole, asking, at, signal)
    const reply = await plugin.handle(whole, at, signal)
    this.#released++
    const told = { entry, caller: nameOf(this.#parts, asking.caller) }
    // Who holds a certificate of ours has no TEE key here: the answer goes through its mutual TLS as it is.
    if (!plugin.encrypted(asked) || !asking.guest) return { ...reply, ...told }
    const closed = encryptTo(asking.guest.teeKey, reply.body, asking.version)
    return { mediaType: 'application/json', body: closed, noStore: true, ...told }
  }

  /** A session's token, a bearer's, or a client certificate: in this order, the first that is there counts. */
  async #whoAsks(
    { sessionId, bearer, certificate }: GuestRequest,
    access: 'certificate' | 'attested',
    at: Date,
    signal: AbortSignal,
  ): Promise<Asking> {
    const { certificateCaller, allowRsa15 } = this.#parts
    const found = access === 'attested' ? await this.#sessionOf(sessionId, at, signal) : undefined
    // A session that was begun and not attested says nothing: not even how to read a bearer's key.
    const session = found?.token === undefined ? undefined : found
    const token = session ? session.token : access === 'attested' ? bearer : undefined
    if (token !== undefined) {
      const guest = await this.#tokens.read(token, at, { version: session?.version, allowRsa15 })
      // Guests of every version may show a token without a session (passport mode): its key tells the version.
      const version = session?.version ?? versionOfKey(guest.teeKeyJwk)
      return { caller: callerOf(guest), guest, version }
    }
    const caller = certificate && (await certificateCaller?.(certificate, at))
    if (caller) return { caller, version: '0.4.0' }
    throw failure('BROKER_SESSION_UNKNOWN', 'there is no attested session, token or certificate that counts')
  }

  #sessionOf(id: string | undefined, at: Date, signal: AbortSignal): Promise<Session | undefined> {
    return id === undefined ? Promise.resolve(undefined) : this.#parts.sessions.read(id, at, signal)
  }

  /** The policy that is in force now decides, once, whatever becomes of it meanwhile. @returns the log's entry */
  async #askGate(
    plugin: Plugin,
    request: PluginRequest,
    { caller }: Asking,
    at: Date,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const { policies, gate, identity } = this.#parts
    const data: Claims = plugin.policyData?.(request) ?? {
      plugin: plugin.name,
      'resource-path': [...request.path],
      query: { ...request.query },
    }
    const active = await policies.active('resource', signal)
    if (!active) throw failure('BROKER_POLICY_DENIED', 'there is no resource policy, so nothing is released')
    const claims = caller.kind === 'guest' || caller.kind === 'certificate' ? caller.claims : null
    const verdict = await gate.ask(
      {
        purpose: 'release',
        principal: callerPrincipal(identity, caller),
        resource: [plugin.name, ...request.path].join('/').slice(0, 1024),
        policyName: `resource@${active.version}`,
        policy: active.policy,
        input: { claims, request: { method: request.method, ...data } },
      },
      at,
      signal,
    )
    if (verdict.allowed) return verdict.entry
    const why = verdict.reasons.map(({ message }) => message).join('; ')
    throw failure(
      'BROKER_POLICY_DENIED',
      `version ${active.version} of the resource policy says no: ${why}`,
      {
        detail: { entry: verdict.entry },
      },
    )
  }
}

const nameOf = ({ identity }: BrokerParts, caller: Caller): string => {
  const { kind, name } = callerPrincipal(identity, caller)
  return `${kind}:${name}`
}

/** The broker's own calls for guests, and their methods. */
const calls: ReadonlyMap<string, PluginRequest['method']> = new Map([
  ['auth', 'POST'],
  ['attest', 'POST'],
  ['token-keys', 'GET'],
  ['token-certificates', 'GET'],
])

const stepDone = ({ body, session, entry }: Step): Answer => ({
  mediaType: 'application/json',
  body,
  noStore: true,
  cookie: { value: session.id, expires: session.expires },
  entry,
})
