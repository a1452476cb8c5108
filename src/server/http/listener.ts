import { constants, randomBytes } from 'node:crypto'
import { createServer as createPlainServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { Socket } from 'node:net'
import { listenAt, stopListening } from '#registry/server/index.ts'

/** A certificate chain and its private key, PEM. */
export interface ServingCertificate {
  readonly certificate: string | Buffer
  readonly key: string | Buffer
}

/** What a socket bears; times in milliseconds. */
export interface ListenerLimits {
  readonly headerBytes: number
  readonly headersMs: number
  /** A request that is not whole by then ends with its connection: beyond the deadline that the request itself has. */
  readonly wholeRequestMs: number
  readonly keepAliveMs: number
  readonly handshakeMs: number
  readonly connections: number
  readonly stopMs: number
}

/** `awaitsContinue`: the client sends its body once it is told to (`Expect: 100-continue`). */
export type OnRequest = (request: IncomingMessage, response: ServerResponse, awaitsContinue: boolean) => void

export interface ListenerOptions {
  readonly limits: ListenerLimits
  readonly onRequest: OnRequest
  /** Without one plain HTTP is spoken. */
  readonly tls?: ServingCertificate
  /**
   * Asks for client certificates. Who shows none, or a stranger's, is connected all the same: whoever answers looks at
   * `authorized` (it leads to one of `ca`, PEM) and at the certificate, whose key TLS proved in any case.
   */
  readonly clientCertificates?: { readonly ca?: string | Buffer }
  /** Told of what never became a request; without it the connection just ends. */
  readonly onMalformed?: (error: NodeJS.ErrnoException, socket: Socket) => void
}

/** node's HTTP server with every limit set: a socket that serves until it is closed, and nothing of a protocol. */
export class Listener implements AsyncDisposable {
  readonly #server: ReturnType<typeof createServer> | ReturnType<typeof createPlainServer>
  readonly #limits: ListenerLimits
  readonly #tls: object | undefined
  readonly #stop = new AbortController()
  #closed: Promise<void> | undefined

  constructor({ limits, onRequest, tls, clientCertificates, onMalformed }: ListenerOptions) {
    this.#limits = limits
    this.#tls = tls && {
      minVersion: 'TLSv1.2',
      // Who a client is does not change in the middle of a connection.
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
      ...(clientCertificates?.ca && { ca: clientCertificates.ca }),
    }
    const common = {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersMs,
      requestTimeout: limits.wholeRequestMs,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: Math.max(50, Math.min(1_000, limits.headersMs / 4)),
      noDelay: true,
    }
    this.#server = tls
      ? createServer({
          ...common,
          ...this.#tls,
          key: tls.key,
          cert: tls.certificate,
          handshakeTimeout: limits.handshakeMs,
          ...(clientCertificates && { requestCert: true, rejectUnauthorized: false }),
        })
      : createPlainServer(common)
    this.#server.maxConnections = limits.connections
    this.#server.on('request', (request, response) => onRequest(request, response, false))
    this.#server.on('checkContinue', (request, response) => onRequest(request, response, true))
    this.#server.on('clientError', (error, socket) => {
      if (onMalformed) onMalformed(error, socket as Socket)
      else socket.destroy()
    })
    this.#server.on('tlsClientError', (_, socket) => socket.destroy())
  }

  get stopping(): boolean {
    return this.#closed !== undefined
  }

  /** Aborted when requests in work are given up. */
  get signal(): AbortSignal {
    return this.#stop.signal
  }

  /**
   * Resolves once requests are taken.
   * @param address HOST:PORT
   * @throws LISTEN_FAILED, LISTEN_ADDRESS_INVALID
   */
  async listen(
    address: string,
  ): Promise<{ readonly url: string; readonly host: string; readonly port: number }> {
    return listenAt(this.#server, address)
  }

  /** From the next connection on. */
  use({ certificate, key, clientCa }: ServingCertificate & { readonly clientCa?: string | Buffer }): void {
    if (!('setSecureContext' in this.#server)) return
    const context = { ...this.#tls, key, cert: certificate }
    // Sessions that were proved under the authorities of before are not resumed.
    const proofs = clientCa && { ca: clientCa, ticketKeys: randomBytes(48) }
    this.#server.setSecureContext({ ...context, ...proofs })
    if (clientCa) this.#server.closeIdleConnections()
  }

  /** Takes no more connections and waits for requests in work: for a while. Answers then carry `Connection: close`. */
  close(): Promise<void> {
    this.#closed ??= this.#finish()
    return this.#closed
  }

  async #finish(): Promise<void> {
    const { stopMs } = this.#limits
    const giveUp = setTimeout(() => this.#stop.abort(), stopMs)
    // What is given up may still say so.
    await stopListening(this.#server, stopMs + 500)
    clearTimeout(giveUp)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
