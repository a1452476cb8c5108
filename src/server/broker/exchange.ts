import type { IncomingMessage, ServerResponse } from 'node:http'
import { type BrokerServerLimits, isFailure } from '#base/index.ts'
import type { BrokerReply, BrokerRequest, Outcome } from '#broker/index.ts'
import { failure } from '../codes.ts'
import { hasBody } from '../http/read-body.ts'
import type { BrokerLog, ListenerName } from './broker-log.ts'
import type { BrokerMetrics } from './broker-metrics.ts'
import { type Connection, connectionOf } from './connection.ts'
import { type HttpProblem, httpProblemOf, problemBody } from './problems.ts'
import { formatSessionCookie } from './session-cookie.ts'

export const brokerMethods = ['GET', 'POST', 'PUT', 'DELETE'] as const satisfies BrokerRequest['method'][]

export interface ExchangeOptions {
  readonly listener: ListenerName
  readonly limits: BrokerServerLimits
  readonly metrics: BrokerMetrics
  readonly log: BrokerLog
  readonly stopping: () => boolean
  /** Of all bodies that the listener keeps at the moment. */
  readonly held: { bytes: number }
}

/** One request and its one answer. */
export class Exchange {
  readonly incoming: IncomingMessage
  readonly response: ServerResponse
  readonly connection: Connection
  /** Whether all of the request is there. */
  isWhole = false
  readonly #options: ExchangeOptions
  readonly #begun = performance.now()
  readonly #deadline = new AbortController()
  readonly #timer: NodeJS.Timeout
  #answered = false
  #heldBytes = 0

  constructor(options: ExchangeOptions, incoming: IncomingMessage, response: ServerResponse) {
    this.#options = options
    this.incoming = incoming
    this.response = response
    this.connection = connectionOf(incoming.socket)
    const { requestMs } = options.limits
    this.#timer = setTimeout(() => {
      const code = this.isWhole ? 'BROKER_TIMEOUT' : 'BROKER_BODY_SLOW'
      const what = this.isWhole ? 'there was no answer' : 'the request was not whole'
      this.giveUp(failure(code, `${what} within ${requestMs} ms`))
    }, requestMs)
  }

  /** Aborted with its reason at the deadline, and when the server stops. */
  get signal(): AbortSignal {
    return this.#deadline.signal
  }

  /** Keeps so many more bytes of the body, as long as there is room for those of everybody. @throws BROKER_BODIES_EXCEEDED */
  hold(bytes: number): void {
    const { held, limits } = this.#options
    if (held.bytes + bytes > limits.bodiesBytes) {
      const message = `the bodies of requests in work are over ${limits.bodiesBytes} bytes`
      throw failure('BROKER_BODIES_EXCEEDED', message)
    }
    held.bytes += bytes
    this.#heldBytes += bytes
  }

  /** Refuses at once, whatever is still in work for it. */
  giveUp(reason: Error): void {
    this.#deadline.abort(reason)
    this.refuse(reason)
  }

  /** Nothing is in work for it any more. */
  end(): void {
    clearTimeout(this.#timer)
    this.#options.held.bytes -= this.#heldBytes
  }

  reply({ status, mediaType, body, noStore, cookie, outcome }: BrokerReply, { path }: BrokerRequest): void {
    // In the order of Trustee's own replies.
    const headers = ['content-length', String(body.length), 'content-type', mediaType]
    if (cookie) headers.push('set-cookie', formatSessionCookie(cookie))
    if (noStore) headers.push('cache-control', 'no-store')
    this.#answer(status, headers, body, outcome, path)
  }

  refuse(error: unknown): void {
    if (this.#answered) return
    const { metrics, log, listener } = this.#options
    const problem = httpProblemOf(error)
    const { status, limit } = problem
    const body = problemBody(problem)
    const headers = ['content-length', String(body.length), 'content-type', 'application/json']
    headers.push('cache-control', 'no-store', ...hints(problem, error))
    // What is left of a body is not read: the connection goes with it.
    const isUnread = hasBody(this.incoming) && !this.incoming.complete
    if (isUnread && !this.#options.stopping()) headers.push('connection', 'close')
    if (limit) metrics.limitHit(limit)
    if (!isFailure(error)) {
      log({ event: 'failure', level: 'error', listener, message: placeOf(error) })
    }
    const told = isFailure(error) && { code: error.code, message: error.message }
    this.#answer(status, headers, body, { call: 'refused', status, ...told })
  }

  #answer(
    status: number,
    headers: string[],
    body: Uint8Array,
    outcome: Outcome,
    path?: readonly string[],
  ): void {
    if (this.#answered) return
    if (this.#options.stopping()) headers.push('connection', 'close')
    // Throws where a header cannot be one: then there is still a refusal to be sent.
    this.response.writeHead(status, headers)
    this.#answered = true
    this.response.end(body)
    this.#tell(outcome, path)
  }

  #tell({ call, status, code, message, caller, entry }: Outcome, path: readonly string[] = []): void {
    const { metrics, log, listener } = this.#options
    const durationMs = performance.now() - this.#begun
    metrics.answered(listener, call, status, durationMs)
    if (code !== undefined) metrics.refused(code)
    const isNamed = path.length > 1 && call !== 'unknown'
    log({
      event: 'request',
      level: status < 400 ? 'info' : status < 500 ? 'warn' : 'error',
      listener,
      call,
      ...(isNamed && { path: path.slice(1).map(encodeURIComponent).join('/').slice(0, 512) }),
      status,
      ...(code !== undefined && { code }),
      ...(message !== undefined && { message }),
      ...(caller !== undefined && { caller }),
      peer: this.connection.address,
      durationMs: Math.round(durationMs * 1000) / 1000,
      ...(entry !== undefined && { entry }),
    })
  }
}

/** Headers that go with a status. */
function hints({ status }: HttpProblem, error: unknown): string[] {
  const { seconds } = isFailure(error) ? error.detail : {}
  if (status === 429 || status === 503) return ['retry-after', String(seconds ?? 1)]
  if (status === 405) return ['allow', brokerMethods.join(', ')]
  return status === 401 ? ['www-authenticate', 'Bearer'] : []
}

/** Where an error that nobody thought of was thrown. Its message stays unsaid: anything may be in it. */
function placeOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  const lines = error.stack?.split('\n').filter((line) => /^\s+at /.test(line)) ?? []
  return [error.name, ...lines.slice(0, 4).map((line) => line.trim())].join(' ')
}
