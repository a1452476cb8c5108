import type { SealiftError } from '#base/index.ts'
import { readAnswer } from './answer.ts'
import type { Authorizer } from './auth/authorizer.ts'
import type { Scope } from './auth/scope.ts'
import { failure } from './codes.ts'
import { apiHost } from './hosts.ts'
import { connectionFault, isPassing } from './http/connection-faults.ts'
import { field, fields, type HttpRequest, type HttpResponse, isStreamed } from './http/exchange.ts'
import type { SchemeOf } from './http/scheme.ts'
import { isRetryable, type Pace, Retries } from './pace.ts'
import { isRedirect, type MayConnect, redirectTarget } from './redirect.ts'
import { quote } from './refusal.ts'

/** One request to a registry's API. */
export interface Call {
  readonly method: HttpRequest['method']
  /** A path from the registry's root on (`/v2/...`), or a whole URL that the registry handed out. */
  readonly to: string | URL
  readonly scope: Scope
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: HttpRequest['body']
  readonly signal?: AbortSignal | undefined
  readonly expectBytes?: number
  readonly answerWithinMs?: number
  /** Shared by the requests of one piece of work; a new count where it is not given. */
  readonly retries?: Retries
}

/** The answer, with the URL that it came from in the end. */
export interface Reply extends HttpResponse {
  readonly url: URL
}

export interface RegistryHostOptions {
  /** HOST[:PORT] as the reference names it. */
  readonly registry: string
  readonly scheme: SchemeOf
  readonly exchange: (request: HttpRequest) => Promise<HttpResponse>
  readonly authorizer: Authorizer
  readonly mayConnect: MayConnect
  readonly pace: Pace
  readonly userAgent: string
  readonly onWarning: (registry: string, text: string) => void
}

/** A reply or failure with what was sent, so that a 401 can be answered. */
interface Sent {
  readonly reply: Reply
  readonly authorization: string | undefined
}

/** One registry: authorization, redirects and repeats, around single exchanges. */
export class RegistryHost {
  readonly registry: string
  readonly #options: RegistryHostOptions
  #answeredOnce = false
  #base: URL | undefined

  constructor(options: RegistryHostOptions) {
    this.registry = options.registry
    this.#options = options
  }

  get pace(): Pace {
    return this.#options.pace
  }

  get mayConnect(): MayConnect {
    return this.#options.mayConnect
  }

  /**
   * Sends a request, again where that may help and where its body can be sent again. Any status may come back; the
   * body is to be read or closed.
   *
   * @throws REGISTRY_UNREACHABLE, REGISTRY_CONNECTION_LOST, REGISTRY_STALLED, REGISTRY_TLS, REGISTRY_ANSWER_INVALID,
   * REGISTRY_REDIRECT_REFUSED, REGISTRY_PLAIN_HTTP, REGISTRY_UNAUTHORIZED, REGISTRY_TOKEN_INVALID
   */
  async send(call: Call): Promise<Reply> {
    const { signal } = call
    const retries = call.retries ?? new Retries(this.pace)
    const replayable = !isStreamed(call.body)
    for (;;) {
      signal?.throwIfAborted()
      let reply: Reply
      try {
        reply = await this.#authorized(call, replayable)
      } catch (error) {
        const fault = this.fault(error, signal)
        if (!replayable || !this.mayPass(fault) || !(await retries.again(undefined, signal))) throw fault
        continue
      }
      this.#answeredOnce = true
      this.#warn(reply)
      if (!replayable || !isRetryable(reply.status)) return reply
      if (!(await retries.again(field(reply.headers, 'retry-after'), signal))) return reply
      await reply.body.close()
    }
  }

  /** Sends a request and reads a small answer whole; broken answers are asked for again. The reply's body is closed. */
  async ask(call: Call, maxBytes: number): Promise<{ reply: Reply; bytes: Uint8Array }> {
    const retries = call.retries ?? new Retries(this.pace)
    const { limits, now } = this.pace
    for (;;) {
      const reply = await this.send({ ...call, retries })
      try {
        const bounds = { host: reply.url.host, maxBytes, limits, now }
        return { reply, bytes: await readAnswer(reply.body, bounds) }
      } catch (error) {
        const fault = this.fault(error, call.signal)
        if (!isPassing(fault) || !(await retries.again(undefined, call.signal))) throw fault
      }
    }
  }

  /** What a thrown thing means here; an abort is thrown as it is. */
  fault(error: unknown, signal: AbortSignal | undefined): SealiftError {
    if (signal?.aborted) throw signal.reason
    return connectionFault(this.registry, error)
  }

  /** Whether it may help to try again: a host that never answered is not waited for. */
  mayPass(fault: SealiftError): boolean {
    return isPassing(fault) && (fault.code !== 'REGISTRY_UNREACHABLE' || this.#answeredOnce)
  }

  /** The URL of a path on this registry. */
  async url(path: string, signal: AbortSignal | undefined): Promise<URL> {
    const host = apiHost(this.registry)
    return new URL(path, `${await this.#options.scheme(this.registry, signal)}//${host}`)
  }

  async #authorized(call: Call, replayable: boolean): Promise<Reply> {
    const { authorizer } = this.#options
    const { scope, signal } = call
    // A scheme that was found out stays; what failed is found out anew.
    this.#base ??= await this.url('/', signal)
    const base = this.#base
    const url = typeof call.to === 'string' ? new URL(call.to, base) : call.to
    // Credentials are for the registry's own origin, and for none that it names.
    const own = url.origin === base.origin
    const authorization = own ? await authorizer.header(scope, signal) : undefined
    const sent = await this.#follow(call, url, authorization)
    if (!own || sent.reply.status !== 401 || sent.reply.url.origin !== base.origin) return sent.reply
    await sent.reply.body.close()
    const next = await authorizer.answer(scope, url, sent.reply.headers, sent.authorization, signal)
    // A body that is gone cannot be sent again; whoever sends it begins anew, with the new authorization.
    if (!replayable) return sent.reply
    const { reply } = await this.#follow(call, url, next)
    if (reply.status === 401 && reply.url.origin === base.origin) {
      await reply.body.close()
      throw failure(
        'REGISTRY_UNAUTHORIZED',
        `${this.registry} does not accept the credentials, or not for this`,
        {
          detail: { host: this.registry, status: 401 },
        },
      )
    }
    return reply
  }

  async #follow(call: Call, start: URL, authorization: string | undefined): Promise<Sent> {
    const { exchange, mayConnect, userAgent, pace } = this.#options
    let url = start
    let carried = authorization
    if (!mayConnect(url)) throw failure('REGISTRY_PLAIN_HTTP', `plain HTTP to ${url.host} is not allowed`)
    for (let hops = 0; ; hops++) {
      const response = await exchange({
        method: call.method,
        url,
        headers: {
          'user-agent': userAgent,
          'accept-encoding': 'identity',
          ...call.headers,
          ...(carried !== undefined && { authorization: carried }),
        },
        body: call.body,
        signal: call.signal,
        expectBytes: call.expectBytes,
        answerWithinMs: call.answerWithinMs,
      })
      if (!isRedirect(response.status)) return { reply: { ...response, url }, authorization: carried }
      await response.body.close()
      if (hops >= pace.limits.redirects) {
        throw failure(
          'REGISTRY_REDIRECT_REFUSED',
          `${start.host} redirects more than ${pace.limits.redirects} times`,
        )
      }
      const next = redirectTarget(url, field(response.headers, 'location'), mayConnect)
      const keepsMethod = response.status === 307 || response.status === 308
      const reads = call.method === 'GET' || call.method === 'HEAD'
      if (isStreamed(call.body) || !(reads || keepsMethod)) {
        throw failure('REGISTRY_REDIRECT_REFUSED', `${url.host} redirects a ${call.method} to ${next.host}`)
      }
      if (next.origin !== url.origin) carried = undefined
      url = next
    }
  }

  #warn({ headers }: Reply): void {
    for (const value of fields(headers, 'warning').slice(0, 8)) {
      // distribution-spec, Warnings: only 299, agent "-".
      const text = /^299 - "((?:[^"\\]|\\.)*)"$/.exec(value.slice(0, 4096))?.[1]
      if (text !== undefined) this.#options.onWarning(this.registry, quote(text.replace(/\\(.)/g, '$1'), 500))
    }
  }
}
