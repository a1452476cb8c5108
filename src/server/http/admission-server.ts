import { getRequestListener } from '@hono/node-server'
import { type AdmissionLimits, admissionLimits } from '#base/index.ts'
import { type AdmissionAppOptions, admissionApp } from './admission-app.ts'
import { Listener, type ServingCertificate } from './listener.ts'

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
  readonly #listener: Listener
  readonly #options: AdmissionServerOptions
  #closed: Promise<void> | undefined

  constructor(options: AdmissionServerOptions) {
    this.#options = options
    const { tls, clientCa, notReady, limits = admissionLimits } = options
    this.#listener = new Listener({
      limits: listenerLimits(limits),
      onRequest: (request, response, awaitsContinue) => {
        if (awaitsContinue) response.writeContinue()
        answer(request, response)
      },
      ...(tls && { tls }),
      // Probes and metrics show no certificate, so whether there is one is looked at with the review.
      ...(clientCa !== undefined && { clientCertificates: { ca: clientCa } }),
    })
    const app = admissionApp({
      ...options,
      signal: this.#listener.signal,
      stopping: () => this.#listener.stopping,
      clientCertificates: clientCa !== undefined,
      notReady: () => (this.#listener.stopping ? 'stopping' : notReady?.()),
    })
    const answer = getRequestListener(app.fetch, { overrideGlobalObjects: false })
  }

  /** Resolves once reviews are taken. @throws LISTEN_FAILED */
  async listen(host: string, port: number): Promise<{ readonly url: string; readonly port: number }> {
    const shown = host.includes(':') ? `[${host}]` : host
    const { port: taken } = await this.#listener.listen(`${shown}:${port}`)
    const url = `${this.#options.tls ? 'https' : 'http'}://${shown}:${taken}`
    this.#options.log({ event: 'listening', level: 'info', address: url })
    return { url, port: taken }
  }

  /** From the next connection on. */
  use(serving: ServingCertificate): void {
    this.#listener.use(serving)
  }

  /** Takes no more connections, and waits for the reviews under way: for a while. */
  close(): Promise<void> {
    this.#closed ??= this.#finish()
    return this.#closed
  }

  async #finish(): Promise<void> {
    this.#options.log({ event: 'stopping', level: 'info' })
    await this.#listener.close()
    this.#options.log({ event: 'stopped', level: 'info' })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** A body that comes too slowly is given up by the review's own deadline first. */
const listenerLimits = ({ reviewMs, connections, stopMs }: AdmissionLimits) => ({
  headerBytes: 16 * 1024,
  headersMs: reviewMs,
  wholeRequestMs: reviewMs + 2_000,
  keepAliveMs: 75_000,
  handshakeMs: reviewMs,
  connections,
  stopMs,
})
