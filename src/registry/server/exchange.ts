import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { type AccessRequest, anonymous, type Principal } from './access.ts'
import type { Refusal } from './refusal.ts'
import { parseTarget, type Route } from './route.ts'

/** The client has gone, or was cut off: nothing more can be told to it. */
export class Gone {}

const api = 'Docker-Distribution-API-Version'

/** One request and its reply. */
export class Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly method: string
  readonly route: Route
  readonly query: URLSearchParams
  principal: Principal = anonymous
  /** Bytes of the request's body that arrived. */
  receivedBytes = 0
  /** Bytes of the reply's body that were handed to the connection. */
  sentBytes = 0
  /** Whether we wait for the client: only then may a connection be cut off because nothing moves on it. */
  clientTurn = false
  /** The code of the error that was answered. */
  code: string | undefined
  /** Set where the client waits for a go-ahead before it sends the body (`Expect: 100-continue`). */
  #awaitsContinue: boolean
  #controller: AbortController | undefined
  #interrupt: (() => void) | undefined

  constructor(request: IncomingMessage, response: ServerResponse, awaitsContinue: boolean) {
    this.request = request
    this.response = response
    this.method = request.method ?? ''
    const { route, query } = parseTarget(request.url ?? '')
    this.route = route
    this.query = query === '' ? noQuery : new URLSearchParams(query)
    this.#awaitsContinue = awaitsContinue
    response.once('close', () => {
      this.#interrupt?.()
      if (!response.writableFinished) this.#controller?.abort(new Gone())
    })
  }

  /** Aborts when the client goes away before it has the whole reply. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.gone) this.#controller.abort(new Gone())
    return this.#controller.signal
  }

  get gone(): boolean {
    return this.response.destroyed || this.request.socket.destroyed
  }

  get remoteAddress(): string | undefined {
    return this.request.socket.remoteAddress
  }

  /** What the request's own route names, as a question for whoever decides. */
  question(verb: AccessRequest['verb'], repository?: string): AccessRequest {
    const { remoteAddress } = this
    const reference = referenceOf(this.route)
    return {
      principal: this.principal,
      verb,
      ...(repository !== undefined && { repository }),
      ...(reference !== undefined && { reference }),
      ...(remoteAddress !== undefined && { remoteAddress }),
    }
  }

  /** Sends the head of a reply whose body follows by `write` and `end`. */
  head(status: number, sizeBytes: number, headers: OutgoingHttpHeaders): void {
    headers[api] = 'registry/2.0'
    headers['Content-Length'] = sizeBytes
    this.response.writeHead(status, headers)
  }

  /** A whole reply. The body is left out where the method is HEAD, its length is not. */
  reply(status: number, headers: OutgoingHttpHeaders, body?: Uint8Array): void {
    // A 204 must not have a Content-Length (RFC 9110 section 8.6).
    if (status === 204 || status === 304) {
      headers[api] = 'registry/2.0'
      this.response.writeHead(status, headers).end()
      return
    }
    this.head(status, body?.length ?? 0, headers)
    if (body === undefined || this.method === 'HEAD') {
      this.response.end()
    } else {
      this.sentBytes += body.length
      this.response.end(body)
    }
  }

  json(status: number, value: unknown, headers: OutgoingHttpHeaders = {}, type = 'application/json'): void {
    this.reply(status, { 'Content-Type': type, ...headers }, Buffer.from(JSON.stringify(value)))
  }

  /** Answers with an error, or breaks the connection off where a reply has begun already. */
  refuse(refusal: Refusal, drainBytes: number): void {
    this.code = refusal.code
    if (this.gone) return
    if (this.response.headersSent) {
      this.breakOff()
      return
    }
    const headers: OutgoingHttpHeaders = { 'Content-Type': 'application/json', ...refusal.headers }
    if (this.#hasLongBody(drainBytes)) headers.Connection = 'close'
    this.reply(refusal.status, headers, refusal.body())
  }

  /** Ends the connection so that the client cannot take what it has for the whole. */
  breakOff(): void {
    this.request.socket.destroy()
  }

  /** Resolves when the bytes have left for the kernel and the buffer may be used again. @throws Gone */
  write(bytes: Uint8Array): Promise<void> {
    this.sentBytes += bytes.length
    return this.#sent((done) => this.response.write(bytes, done))
  }

  /** Like `write`, for the last bytes of the body. */
  end(bytes: Uint8Array): Promise<void> {
    this.sentBytes += bytes.length
    return this.#sent((done) => this.response.end(bytes, done))
  }

  /** To be called before the body is read. */
  wantBody(): void {
    if (this.#awaitsContinue) this.response.writeContinue()
    this.#awaitsContinue = false
  }

  #sent(send: (done: (error?: Error | null) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.gone) {
        reject(new Gone())
        return
      }
      this.#interrupt = () => reject(new Gone())
      this.clientTurn = true
      send((error) => {
        this.clientTurn = false
        if (error) reject(new Gone())
        else resolve()
      })
    })
  }

  #hasLongBody(drainBytes: number): boolean {
    const { request } = this
    if (request.complete) return false
    if (this.#awaitsContinue) return true
    const length = request.headers['content-length']
    return length === undefined
      ? request.headers['transfer-encoding'] !== undefined
      : Number(length) > drainBytes
  }
}

const noQuery = new URLSearchParams()

export function referenceOf(route: Route): string | undefined {
  if (route.resource === 'manifest') return route.reference
  if (route.resource === 'blob' || route.resource === 'referrers') return route.digest
  return route.resource === 'upload' ? route.id : undefined
}
