import { once } from 'node:events'
import { createServer as createPlainServer } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { type AdmissionLimits, admissionLimits } from '#base/index.ts'
import { type AdmissionAppOptions, admissionApp } from './admission-app.ts'

/** A certificate chain and its private key, PEM. */
export interface ServingCertificate {
  readonly certificate: string
  readonly key: string
}

export interface AdmissionServerOptions
  extends Omit<AdmissionAppOptions, 'signal' | 'stopping' | 'clientCertificates' | 'notReady'> {
  /** Without one plain HTTP is spoken: for a proxy in front, and for measuring. */
  readonly tls?: ServingCertificate
  /** PEM: only who shows a certificate of one of these may ask for reviews. */
  readonly clientCa?: string
  readonly notReady?: () => string | undefined
}

/** The webhook's socket. */
export class AdmissionServer implements AsyncDisposable {
  readonly #server: Server | ReturnType<typeof createPlainServer>
  readonly #options: AdmissionServerOptions
  readonly #limits: AdmissionLimits
  readonly #stop = new AbortController()
  #stopping = false

  constructor(options: AdmissionServerOptions) {
    this.#options = options
    this.#limits = options.limits ?? admissionLimits
    const { tls, clientCa, notReady } = options
    const app = admissionApp({
      ...options,
      signal: this.#stop.signal,
      stopping: () => this.#stopping,
      clientCertificates: clientCa !== undefined,
      notReady: () => (this.#stopping ? 'stopping' : notReady?.()),
    })
    const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false })
    const common = {
      maxHeaderSize: 16 * 1024,
      headersTimeout: this.#limits.reviewMs,
      // A body that comes too slowly is given up by the review's own deadline first.
      requestTimeout: this.#limits.reviewMs + 2_000,
      keepAliveTimeout: 75_000,
      connectionsCheckingInterval: 1_000,
    }
    this.#server = tls
      ? createServer(
          {
            ...common,
            key: tls.key,
            cert: tls.certificate,
            minVersion: 'TLSv1.2',
            handshakeTimeout: this.#limits.reviewMs,
            // Probes and metrics show no certificate, so whether there is one is looked at with the review.
            ...(clientCa !== undefined && { requestCert: true, rejectUnauthorized: false, ca: clientCa }),
          },
          listener,
        )
      : createPlainServer(common, listener)
    this.#server.maxConnections = this.#limits.connections
    this.#server.on('clientError', (_, socket) => socket.destroy())
    this.#server.on('tlsClientError', (_, socket) => socket.destroy())
  }

  /** Resolves once reviews are taken. @throws what the operating system says about the address */
  async listen(host: string, port: number): Promise<{ readonly url: string; readonly port: number }> {
    this.#server.listen(port, host)
    await once(this.#server, 'listening')
    const address = this.#server.address() as AddressInfo
    const shown = host.includes(':') ? `[${host}]` : host
    const url = `${this.#options.tls ? 'https' : 'http'}://${shown}:${address.port}`
    this.#options.log({ event: 'listening', level: 'info', address: url })
    return { url, port: address.port }
  }

  /** From the next connection on. */
  use({ certificate, key }: ServingCertificate): void {
    if ('setSecureContext' in this.#server) {
      const { clientCa } = this.#options
      const ca = clientCa === undefined ? {} : { ca: clientCa }
      this.#server.setSecureContext({ key, cert: certificate, minVersion: 'TLSv1.2', ...ca })
    }
  }

  /** Takes no more connections, and waits for the reviews under way: for a while. */
  async close(): Promise<void> {
    if (this.#stopping) return
    this.#stopping = true
    this.#options.log({ event: 'stopping', level: 'info' })
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeIdleConnections()
    const giveUp = setTimeout(() => {
      this.#stop.abort()
      setTimeout(() => this.#server.closeAllConnections(), 500).unref()
    }, this.#limits.stopMs)
    await closed
    clearTimeout(giveUp)
    this.#options.log({ event: 'stopped', level: 'info' })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
