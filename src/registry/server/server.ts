import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { isFailure } from '#base/index.ts'
import type { Repositories } from '#content/index.ts'
import { type Access, authenticate, challenge, verbOf } from './access.ts'
import { blob } from './blob.ts'
import { failure, type Refused, refuse } from './codes.ts'
import { DamageLedger } from './damage.ts'
import { Exchange, type Shared } from './exchange.ts'
import type { PasswordFile } from './htpasswd.ts'
import { type ServerLimits, serverLimits } from './limits.ts'
import { catalog, referrers, tags } from './lists.ts'
import { manifest } from './manifest.ts'
import { Metrics } from './metrics.ts'
import { parseRoute, type Route } from './route.ts'
import { upload, uploads } from './upload.ts'
import { UploadLocks } from './upload-locks.ts'

/** One line of the request log. Never a header, a query or a body. */
export interface RequestEvent {
  readonly method: string
  readonly path: string
  readonly status: number
  readonly sentBytes: number
  readonly durationMs: number
  readonly remote: string
  readonly principal?: string
  /** Why it failed: a message for the operator; the client is told less. */
  readonly failure?: string
}

export interface RegistryServerOptions {
  readonly repositories: Repositories
  /** Basic authentication. Without it everybody is nobody. */
  readonly passwords?: PasswordFile
  /** Whether nobody may pull where there are passwords. */
  readonly anonymousPull?: boolean
  /** Asked for every request after authentication. */
  readonly access?: Access
  /** PEM texts. */
  readonly tls?: { readonly cert: string; readonly key: string }
  readonly limits?: Partial<ServerLimits>
  readonly log?: (event: RequestEvent) => void
  readonly now?: () => number
}

export interface RegistryServer extends AsyncDisposable {
  /** @param listen HOST:PORT; port 0 takes a free one. Resolves with where it listens. @throws LISTEN_FAILED */
  listen(listen: string): Promise<{ readonly host: string; readonly port: number; readonly url: string }>
  /** Takes new certificates for connections from now on. */
  renewTls(tls: { readonly cert: string; readonly key: string }): void
  /** Stops taking requests, waits at most `graceMs` for those under way, then breaks them off. */
  close(graceMs?: number): Promise<void>
}

/** The registry: OCI distribution-spec 1.1 over any repositories; what cannot be written to is read only. */
export function createRegistryServer(options: RegistryServerOptions): RegistryServer {
  return new HttpRegistry(options)
}

class HttpRegistry implements RegistryServer {
  readonly #options: RegistryServerOptions
  readonly #shared: Shared
  readonly #server: Server | TlsServer
  readonly #now: () => number
  #closing = false

  constructor(options: RegistryServerOptions) {
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
    const limits = { ...serverLimits, ...options.limits }
    this.#shared = {
      repositories: options.repositories,
      limits,
      damage: new DamageLedger(limits.verifiedDigests),
      metrics: new Metrics(),
      uploadLocks: new UploadLocks(),
    }
    const listener: RequestListener = (request, response) => void this.#answer(request, response)
    const settings = {
      keepAliveTimeout: limits.keepAliveMs,
      headersTimeout: limits.headersMs,
      // Bodies may take hours on a thin link: what is bounded is the time without a byte.
      requestTimeout: 0,
      noDelay: true,
      highWaterMark: 1024 * 1024,
    }
    this.#server = options.tls
      ? createTlsServer({ ...settings, ...options.tls, minVersion: 'TLSv1.2' }, listener)
      : createServer(settings, listener)
    this.#server.maxConnections = limits.connections
    this.#server.timeout = limits.idleMs
    this.#server.on('clientError', (_, socket) => {
      if (socket.writable)
        socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
      else socket.destroy()
    })
  }

  async listen(listen: string): Promise<{ host: string; port: number; url: string }> {
    const match = /^(?:\[([0-9a-f:]+)\]|([^:]*)):(\d{1,5})$/i.exec(listen)
    const port = Number(match?.[3])
    if (!match || port > 65_535) throw failure('LISTEN_FAILED', `${JSON.stringify(listen)} is not HOST:PORT`)
    const wanted = match[1] ?? (match[2] || '0.0.0.0')
    await new Promise<void>((resolve, reject) => {
      const failed = (cause: Error) =>
        reject(failure('LISTEN_FAILED', `cannot listen at ${listen}: ${cause.message}`, { cause }))
      this.#server.once('error', failed)
      this.#server.listen(port, wanted, 4096, () => {
        this.#server.off('error', failed)
        resolve()
      })
    })
    const address = this.#server.address() as AddressInfo
    const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
    const scheme = this.#options.tls ? 'https' : 'http'
    return { host, port: address.port, url: `${scheme}://${host}:${address.port}` }
  }

  renewTls(tls: { cert: string; key: string }): void {
    if ('setSecureContext' in this.#server) this.#server.setSecureContext(tls)
  }

  async close(graceMs = 10_000): Promise<void> {
    if (!this.#server.listening) return
    this.#closing = true
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeIdleConnections()
    const timer = setTimeout(() => this.#server.closeAllConnections(), graceMs)
    await closed
    clearTimeout(timer)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close(1000)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const begun = this.#now()
    const { metrics, limits, damage } = this.#shared
    const target = request.url ?? ''
    const mark = target.indexOf('?')
    const path = mark < 0 ? target : target.slice(0, mark)
    const stop = new AbortController()
    response.once('close', () => {
      if (!response.writableFinished) stop.abort(new Error('the client went away'))
    })
    response.setHeader('docker-distribution-api-version', 'registry/2.0')
    const query = new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1))
    const exchange = new Exchange(this.#shared, request, response, query, stop.signal)
    let resource = 'unknown'
    let principal: string | undefined
    let failed: unknown
    metrics.inFlight++
    try {
      if (this.#closing) response.setHeader('connection', 'close')
      if (metrics.inFlight > limits.requests) {
        throw refuse(429, 'TOOMANYREQUESTS', 'the server is busy', { headers: { 'retry-after': '1' } })
      }
      const route = parseRoute(path)
      if (!route) throw refuse(404, 'NAME_UNKNOWN', 'there is nothing at this path')
      resource = route.resource
      assertMethod(route, request.method ?? '')
      principal = await this.#admit(route, exchange)
      if (route.resource === 'metrics') {
        exchange.body(200, Buffer.from(metrics.format(damage.damagedCount)), {
          'content-type': 'text/plain; version=0.0.4',
        })
      } else await dispatch(route, exchange)
    } catch (error) {
      failed = error
      writeRefusal(exchange, error)
    } finally {
      metrics.inFlight--
      metrics.bytesOut += exchange.bytesOut
      metrics.request(resource, request.method ?? '', response.statusCode)
      this.#options.log?.({
        method: request.method ?? '',
        path,
        status: response.statusCode,
        sentBytes: exchange.bytesOut,
        durationMs: this.#now() - begun,
        remote: request.socket.remoteAddress ?? '',
        ...(principal !== undefined && { principal }),
        ...(failed !== undefined && { failure: failed instanceof Error ? failed.message : String(failed) }),
      })
    }
  }

  /** Who asks, and whether they may. @throws REQUEST_REFUSED */
  async #admit(route: Route, exchange: Exchange): Promise<string | undefined> {
    if (route.resource === 'health') return undefined
    const { passwords, access, anonymousPull } = this.#options
    const verb = verbOf(exchange.request.method ?? '', route)
    const principal = passwords && (await authenticate(exchange.request, passwords))
    const open = anonymousPull && (verb === 'pull' || (verb === undefined && route.resource !== 'metrics'))
    if (passwords && principal === undefined && !open) throw challenge()
    if (access && verb) {
      const { signal } = exchange
      const repository = 'name' in route ? route.name : undefined
      await ask(access, { principal, verb, repository, signal })
      // To mount is to read the neighbour.
      const from = route.resource === 'uploads' ? exchange.query.get('from') : null
      if (from !== null) await ask(access, { principal, verb: 'pull', repository: from, signal })
    }
    return principal
  }
}

async function ask(access: Access, request: Parameters<Access>[0]): Promise<void> {
  const { allowed, reason } = await access(request)
  if (!allowed) throw refuse(403, 'DENIED', reason ?? `${request.verb} is not allowed here`)
}

const methods: Readonly<Record<Route['resource'], readonly string[]>> = {
  base: ['GET', 'HEAD'],
  catalog: ['GET', 'HEAD'],
  health: ['GET', 'HEAD'],
  metrics: ['GET', 'HEAD'],
  blob: ['GET', 'HEAD', 'DELETE'],
  uploads: ['POST'],
  upload: ['GET', 'HEAD', 'PATCH', 'PUT', 'DELETE'],
  manifest: ['GET', 'HEAD', 'PUT', 'DELETE'],
  tags: ['GET', 'HEAD'],
  referrers: ['GET', 'HEAD'],
}

function assertMethod(route: Route, method: string): void {
  const allowed = methods[route.resource]
  if (allowed.includes(method)) return
  throw refuse(405, 'UNSUPPORTED', `${method} is not known here`, { headers: { allow: allowed.join(', ') } })
}

async function dispatch(route: Route, exchange: Exchange): Promise<void> {
  switch (route.resource) {
    case 'blob':
      return blob(exchange, route.name, route.digest)
    case 'manifest':
      return manifest(exchange, route.name, route.reference)
    case 'uploads':
      return uploads(exchange, route.name)
    case 'upload':
      return upload(exchange, route.name, route.id)
    case 'tags':
      return tags(exchange, route.name)
    case 'referrers':
      return referrers(exchange, route.name, route.digest)
    case 'catalog':
      return catalog(exchange)
    default:
      return exchange.json(200, {})
  }
}

/** An error reply where the head is not out yet; whatever is left of the body ends the connection. */
function writeRefusal(exchange: Exchange, error: unknown): void {
  const { response, request } = exchange
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const refused = (isFailure(error, 'REQUEST_REFUSED') ? error.detail.refused : faultOf(error)) as Refused
  const told = isFailure(error, 'REQUEST_REFUSED') ? error.message : 'the server could not do it'
  const detail = isFailure(error) ? (error.detail.missing ?? null) : null
  // An unread body would be taken for the next request.
  if (!request.complete) response.setHeader('connection', 'close')
  exchange.json(
    refused.status,
    { errors: [{ code: refused.code, message: told, detail }] },
    { ...refused.headers },
  )
}

/** What rooms below throw, as a reply. */
function faultOf(error: unknown): Refused {
  if (isFailure(error, 'CONTENT_READ_ONLY')) return { status: 405, code: 'UNSUPPORTED' }
  if (isFailure(error, 'CONTENT_NOT_FOUND')) return { status: 404, code: 'BLOB_UNKNOWN' }
  if (isFailure(error, 'DIGEST_MISMATCH')) return { status: 400, code: 'DIGEST_INVALID' }
  if (isFailure(error, 'DISK_FULL')) return { status: 507, code: 'UNKNOWN' }
  return { status: 500, code: 'UNKNOWN' }
}
