import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Server as TlsServer } from 'node:https'
import type { Socket } from 'node:net'
import { type AccessRules, parseAccessRules, rolesFor } from '#access/index.ts'
import { limits as baseLimits, nodeFileSystem, type ServerLimits, serverLimits } from '#base/index.ts'
import { passwordAccess, rulesAccess } from './access.ts'
import { AccessRecords } from './access-records.ts'
import { namesNobody } from './authentication/basic-credentials.ts'
import { threadComparer } from './authentication/compare-password.ts'
import { type PasswordFile, parsePasswordFile } from './authentication/password-file.ts'
import { Passwords } from './authentication/passwords.ts'
import { BufferPool } from './buffer-pool.ts'
import { type Context, unauthorized } from './context.ts'
import { Counters } from './counters.ts'
import { dispatch, resourceOf } from './dispatch.ts'
import { Exchange, Gone, referenceOf } from './exchange.ts'
import { listenAt, makeHttpServer, stopListening } from './http-server.ts'
import { Manifests } from './manifests.ts'
import type { RegistryServer, RegistryServerOptions, ServerAddress } from './options.ts'
import { Refusal, refusalOf, type WireCode } from './refusal.ts'
import type { Log } from './request-log.ts'
import { SlowBodies } from './slow-bodies.ts'
import { parseTlsFiles, type TlsFiles } from './tls-files.ts'
import { UploadSessions } from './upload-sessions.ts'
import { Verification } from './verification.ts'
import { WatchedFiles } from './watched-files.ts'

/**
 * A registry (OCI distribution-spec 1.1 and the additions under way) over any Repositories. It hashes what it
 * serves for the first time, and breaks a reply off before its last bytes where they are not what their digest
 * says.
 */
export function createRegistryServer(options: RegistryServerOptions): RegistryServer {
  return new Registry(options)
}

class Registry implements RegistryServer {
  readonly #options: RegistryServerOptions
  readonly #limits: ServerLimits
  readonly #log: Log
  readonly #now: () => number
  readonly #context: Context
  readonly #counters = new Counters()
  readonly #exchanges = new Map<Socket, Exchange>()
  readonly #comparer
  #server: Server | TlsServer | undefined
  #tlsFiles: WatchedFiles<TlsFiles> | undefined
  #passwordFile: WatchedFiles<PasswordFile> | undefined
  #passwords: Passwords | undefined
  #rulesFile: WatchedFiles<AccessRules> | undefined
  #inWork = 0
  #bodies = 0
  #stopping: Promise<void> | undefined

  constructor(options: RegistryServerOptions) {
    this.#options = options
    this.#limits = { ...serverLimits, ...options.limits }
    this.#log = options.log ?? (() => undefined)
    this.#now = options.now ?? (() => performance.now())
    this.#comparer = options.passwordComparer ?? threadComparer()
    this.#context = this.#makeContext()
  }

  async listen(address: string): Promise<ServerAddress> {
    await this.#openFiles()
    const server = makeHttpServer(
      this.#limits,
      this.#tlsFiles?.value,
      (request, response, awaitsContinue) => {
        void this.#handle(request, response, awaitsContinue)
      },
    )
    server.setTimeout(this.#limits.idleMs, (socket) => this.#onIdle(socket))
    const reached = await listenAt(server, address)
    this.#server = server
    this.#log({ event: 'listening', level: 'info', address: reached.url })
    return reached
  }

  async reload(): Promise<void> {
    await this.#tlsFiles?.reload()
    await this.#passwordFile?.reload()
    await this.#rulesFile?.reload()
  }

  async close({ graceMs = 10_000 }: { readonly graceMs?: number } = {}): Promise<void> {
    this.#stopping ??= this.#stop(graceMs)
    await this.#stopping
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close({ graceMs: 0 })
  }

  async #stop(graceMs: number): Promise<void> {
    this.#log({ event: 'stopping', level: 'info' })
    for (const { response } of this.#exchanges.values()) response.shouldKeepAlive = false
    if (this.#server) await stopListening(this.#server, graceMs)
    // A connection is gone before its handler has let go of files and uploads.
    while (this.#inWork > 0) await new Promise((resolve) => setTimeout(resolve, 5))
    this.#context.slowBodies.stop()
    await this.#context.sessions.close()
    await this.#context.records.close()
    this.#tlsFiles?.[Symbol.dispose]()
    this.#passwordFile?.[Symbol.dispose]()
    this.#rulesFile?.[Symbol.dispose]()
    await this.#comparer[Symbol.asyncDispose]()
    this.#log({ event: 'stopped', level: 'info' })
  }

  #makeContext(): Context {
    const { repositories, sparse = 'manifests', htpasswd, accessRules } = this.#options
    const limits = this.#limits
    const buffers = new BufferPool(limits.bufferBytes)
    const sessions = new UploadSessions({ ...limits, now: this.#now })
    return {
      repositories,
      sparse,
      access:
        this.#options.access ??
        (accessRules && rulesAccess(() => this.#rulesFile!.value)) ??
        (htpasswd && passwordAccess(htpasswd.anonymousPull ?? false)),
      records: new AccessRecords(
        this.#options.onAccess,
        (error) => this.#log({ event: 'failure', level: 'error', route: 'access record', error }),
        limits.accessRecords,
      ),
      admission: this.#options.admission,
      rolesOf: accessRules && ((principal, name) => rolesFor(this.#rulesFile!.value, principal, name)),
      hasPasswords: htpasswd !== undefined,
      limits,
      log: this.#log,
      counters: this.#counters,
      buffers,
      sessions,
      slowBodies: new SlowBodies(limits),
      manifests: new Manifests(limits.manifestCacheBytes),
      verification: new Verification({
        remembered: limits.verifiedContents,
        buffers,
        onDamaged: (damaged) => {
          this.#counters.damagedContents++
          this.#log({ event: 'damaged', level: 'error', ...damaged })
        },
      }),
      gauges: () => ({
        uploads_open: ['Uploads held in memory.', sessions.open],
        requests_in_work: ['Requests in work.', this.#inWork],
        resident_bytes: ['Memory of the process.', process.memoryUsage.rss()],
      }),
      stopping: () => this.#stopping !== undefined,
    }
  }

  async #openFiles(): Promise<void> {
    const { tls, htpasswd, accessRules, fs = nodeFileSystem, reloadMs = 5000 } = this.#options
    if (tls && !this.#tlsFiles) {
      this.#tlsFiles = await WatchedFiles.open({
        fs,
        paths: [tls.certificatePath, tls.keyPath],
        maxBytes: baseLimits.answerBytes,
        parse: parseTlsFiles,
        onChange: (change) => {
          this.#tellReload('certificate', change)
          if ('value' in change)
            (this.#server as TlsServer).setSecureContext({ ...change.value, minVersion: 'TLSv1.2' })
        },
      })
      this.#tlsFiles.watch(reloadMs)
    }
    if (accessRules && !this.#rulesFile) {
      this.#rulesFile = await WatchedFiles.open({
        fs,
        paths: [accessRules.path],
        // One more than may be: a file that is cut off could say less than it does.
        maxBytes: baseLimits.accessRulesBytes + 1,
        parse: ([bytes]) => parseAccessRules(bytes!.toString()),
        onChange: (change) => this.#tellReload('access rules', change),
      })
      this.#rulesFile.watch(reloadMs)
    }
    if (htpasswd && !this.#passwordFile) {
      const file = await WatchedFiles.open({
        fs,
        paths: [htpasswd.path],
        maxBytes: this.#limits.htpasswdBytes,
        parse: ([bytes]) => parsePasswordFile(bytes!, this.#limits.bcryptCost),
        onChange: (change) => this.#tellReload('passwords', change),
      })
      file.watch(reloadMs)
      this.#passwordFile = file
      this.#passwords = new Passwords({
        file: () => file.value,
        comparer: this.#comparer,
        maxWaiting: this.#limits.passwordChecks,
        remembered: this.#limits.passwordsRemembered,
      })
    }
  }

  #tellReload(what: string, change: { value: unknown } | { error: unknown }): void {
    if ('value' in change) this.#log({ event: 'reloaded', level: 'info', what })
    else this.#log({ event: 'reloaded', level: 'error', what, error: change.error })
  }

  /** Only a connection that waits for its client is cut off: not one that waits for our disk. */
  #onIdle(socket: Socket): void {
    const exchange = this.#exchanges.get(socket)
    if (exchange && !exchange.clientTurn) socket.setTimeout(this.#limits.idleMs)
    else socket.destroy()
  }

  async #handle(request: IncomingMessage, response: ServerResponse, awaitsContinue: boolean): Promise<void> {
    const startedMs = this.#now()
    const exchange = new Exchange(request, response, awaitsContinue)
    const { socket } = request
    this.#exchanges.set(socket, exchange)
    this.#inWork++
    if (this.#stopping) response.shouldKeepAlive = false
    let notFound: WireCode = 'UNSUPPORTED'
    try {
      const resource = resourceOf(exchange.route)
      notFound = resource.notFound
      if (exchange.route.resource === 'health') await dispatch(this.#context, exchange, resource)
      else
        await this.#bounded(exchange, () =>
          this.#answer(exchange, () => dispatch(this.#context, exchange, resource)),
        )
    } catch (error) {
      if (!(error instanceof Gone)) this.#refuse(exchange, error, notFound)
    } finally {
      exchange.clientTurn = true
      this.#inWork--
      if (response.writableFinished || response.destroyed) this.#done(exchange, startedMs)
      else response.once('close', () => this.#done(exchange, startedMs))
    }
  }

  #refuse(exchange: Exchange, error: unknown, notFound: WireCode): void {
    const refusal = refusalOf(error, notFound)
    if (refusal.status >= 500 && !(error instanceof Refusal)) {
      this.#log({ event: 'failure', level: 'error', route: exchange.route.resource, error })
    }
    exchange.refuse(refusal, this.#limits.drainBytes)
  }

  /** @throws Refusal 429 beyond the limits on what is in work at once */
  async #bounded(exchange: Exchange, act: () => Promise<void>): Promise<void> {
    if (this.#inWork > this.#limits.requests) throw busy()
    const { headers } = exchange.request
    const hasBody = headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'
    if (!hasBody) return await act()
    if (this.#bodies >= this.#limits.uploads) throw busy()
    this.#bodies++
    try {
      await act()
    } finally {
      this.#bodies--
    }
  }

  /** @throws Refusal 401 for a wrong password, even where none is needed: whoever sends one wants to know */
  async #answer(exchange: Exchange, act: () => Promise<void>): Promise<void> {
    const { authorization } = exchange.request.headers
    if (this.#passwords && authorization !== undefined && !namesNobody(authorization)) {
      const name = await this.#passwords.authenticate(authorization)
      if (name === undefined) {
        this.#counters.refusedLogins++
        throw unauthorized('the user name or password is wrong')
      }
      exchange.principal = { kind: 'user', name }
    }
    await act()
  }

  #done(exchange: Exchange, startedMs: number): void {
    const { request, response, route, principal } = exchange
    if (this.#exchanges.get(request.socket) === exchange) this.#exchanges.delete(request.socket)
    const durationMs = this.#now() - startedMs
    const complete = response.writableFinished
    const status = response.headersSent ? response.statusCode : 0
    this.#counters.request(
      knownMethods.has(exchange.method) ? exchange.method : 'other',
      route.resource,
      status,
      durationMs,
    )
    this.#counters.receivedBytes += exchange.receivedBytes
    this.#counters.sentBytes += exchange.sentBytes
    if (!complete) this.#counters.brokenReplies++
    if (!this.#options.log) return
    const reference = referenceOf(route)
    const userAgent = request.headers['user-agent']
    this.#log({
      event: 'request',
      level: status >= 500 || !complete ? 'error' : 'info',
      method: exchange.method,
      route: route.resource,
      ...('repository' in route && { repository: route.repository.slice(0, 300) }),
      ...(reference !== undefined && { reference: reference.slice(0, 200) }),
      status,
      complete,
      ...(exchange.code !== undefined && { code: exchange.code }),
      receivedBytes: exchange.receivedBytes,
      sentBytes: exchange.sentBytes,
      durationMs,
      ...(exchange.remoteAddress !== undefined && { remoteAddress: exchange.remoteAddress }),
      ...(principal.kind === 'user' && { user: principal.name }),
      ...(userAgent !== undefined && { userAgent: userAgent.slice(0, 200) }),
    })
  }
}

const knownMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])

const busy = () =>
  new Refusal(429, 'TOOMANYREQUESTS', 'the registry has more to do than it may', {
    headers: { 'Retry-After': '1' },
  })
