import type { Dispatcher } from 'undici'
import type { Limits } from '#base/index.ts'
import { apiHost } from '../hosts.ts'
import type { TlsOf } from './certificates.ts'
import { DirectDownloads, directFromBytes } from './direct-downloads.ts'
import { dispatchExchange } from './dispatch.ts'
import type { HttpRequest, HttpResponse } from './exchange.ts'
import type { ProxyOf } from './proxies.ts'

export interface OriginsOptions {
  readonly tls: TlsOf
  readonly proxies: ProxyOf
  /** Connections to one origin at once. */
  readonly connections: number
  readonly limits: Limits
  readonly now: () => number
}

interface Origin {
  readonly dispatcher: Dispatcher
  readonly direct: DirectDownloads | undefined
}

/** Connections to each origin (scheme, host and port), with that origin's certificates and proxy. */
export class Origins implements AsyncDisposable {
  readonly #options: OriginsOptions
  readonly #origins = new Map<string, Promise<Origin>>()

  constructor(options: OriginsOptions) {
    this.#options = options
  }

  async exchange(request: HttpRequest): Promise<HttpResponse> {
    request.signal?.throwIfAborted()
    const { dispatcher, direct } = await this.#origin(request.url)
    const { limits, now } = this.#options
    if (
      direct &&
      !direct.unsuitable &&
      request.method === 'GET' &&
      (request.expectBytes ?? 0) >= directFromBytes
    ) {
      const response = await direct.get(request)
      if (response) return response
    }
    return dispatchExchange(dispatcher, request, limits, now)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const origins = await Promise.allSettled(this.#origins.values())
    this.#origins.clear()
    for (const origin of origins) {
      if (origin.status !== 'fulfilled') continue
      origin.value.direct?.close()
      await origin.value.dispatcher.destroy()
    }
  }

  #origin(url: URL): Promise<Origin> {
    let origin = this.#origins.get(url.origin)
    if (!origin) {
      origin = this.#open(url)
      this.#origins.set(url.origin, origin)
      origin.catch(() => this.#origins.delete(url.origin))
    }
    return origin
  }

  async #open(url: URL): Promise<Origin> {
    const { tls, proxies, connections, limits, now } = this.#options
    const secure = url.protocol === 'https:'
    const host = url.host === apiHost('docker.io') ? 'docker.io' : url.host
    const connect = {
      timeout: limits.connectMs,
      allowH2: false,
      ...(secure && { secureContext: await tls(host) }),
    }
    const shared = { connections, pipelining: 1, allowH2: false, maxHeaderSize: limits.headerBytes }
    const proxy = proxies(url)
    if (proxy !== undefined) {
      const { ProxyAgent } = await import('undici')
      const { protocol, host: proxyHost } = new URL(proxy)
      const proxyTls = {
        timeout: limits.connectMs,
        ...(protocol === 'https:' && { secureContext: await tls(proxyHost) }),
      }
      return {
        dispatcher: new ProxyAgent({ uri: proxy, ...shared, requestTls: connect, proxyTls }),
        direct: undefined,
      }
    }
    // Loaded when the first connection is made: most commands make none.
    const { default: Pool } = await import('undici/lib/dispatcher/pool.js')
    return {
      dispatcher: new Pool(url.origin, { ...shared, connect }),
      direct: secure ? undefined : new DirectDownloads(connections, limits, now),
    }
  }
}
