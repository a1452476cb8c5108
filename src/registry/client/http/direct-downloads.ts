import type { Limits } from '#base/index.ts'
import { DirectBody } from './direct-body.ts'
import { DirectConnection } from './direct-connection.ts'
import type { HttpRequest, HttpResponse } from './exchange.ts'
import { bodyLength } from './response-head.ts'
import { StallWatch } from './stall-watch.ts'

/** Bodies from this size on are worth a connection of their own kind: manifests and answers are not. */
export const directFromBytes = 1

/** Large downloads over plain HTTP from one origin, on connections that are kept for the next one. */
export class DirectDownloads {
  readonly #limits: Limits
  readonly #now: () => number
  readonly #idle: DirectConnection[] = []
  readonly #all = new Set<DirectConnection>()
  readonly #connections: number
  readonly #queue: (() => void)[] = []
  #open = 0
  /** Set where the server frames its bodies in another way. */
  unsuitable = false

  constructor(connections: number, limits: Limits, now: () => number) {
    this.#connections = connections
    this.#limits = limits
    this.#now = now
  }

  /** `undefined` where the answer cannot be read this way; it has to be asked for again. */
  async get(request: HttpRequest): Promise<HttpResponse | undefined> {
    if (this.#open >= this.#connections) await new Promise<void>((resolve) => this.#queue.push(resolve))
    this.#open++
    for (;;) {
      request.signal?.throwIfAborted()
      const idle = this.#idle.pop()
      try {
        return await this.#exchange(request, idle ?? this.#connect(request.url))
      } catch (error) {
        // The peer may close an idle connection at any moment: that says nothing about the next one.
        if (idle && !request.signal?.aborted) continue
        this.#next()
        throw request.signal?.aborted ? request.signal.reason : error
      }
    }
  }

  close(): void {
    for (const connection of this.#all) connection.destroy()
  }

  #connect(url: URL): DirectConnection {
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const connection = new DirectConnection(host, Number(url.port || 80), this.#limits)
    this.#all.add(connection)
    connection.onIdleEnd = () => {
      this.#all.delete(connection)
      const at = this.#idle.indexOf(connection)
      if (at >= 0) this.#idle.splice(at, 1)
    }
    return connection
  }

  async #exchange(request: HttpRequest, connection: DirectConnection): Promise<HttpResponse | undefined> {
    const { signal } = request
    const abort = () => connection.destroy()
    signal?.addEventListener('abort', abort, { once: true })
    const over = (reusable: boolean) => {
      signal?.removeEventListener('abort', abort)
      if (reusable) {
        // It is paused after its last bytes; idle, it must hear that the peer hangs up.
        connection.resume()
        this.#idle.push(connection)
      } else this.#drop(connection)
      this.#next()
    }
    try {
      const { head, rest } = await connection.request(requestText(request))
      const length = bodyLength(head)
      if (length === undefined) {
        this.unsuitable = true
        over(false)
        return undefined
      }
      const watch = new StallWatch(this.#now, this.#limits.silenceMs, this.#limits.trickleBytes)
      const body = new DirectBody(connection, length, rest, watch, (whole) => over(whole && head.keepAlive))
      // Nothing to read: the connection is free at once.
      if (length === 0) await body.read(new Uint8Array(1))
      return { status: head.status, headers: head.headers, body }
    } catch (error) {
      signal?.removeEventListener('abort', abort)
      this.#drop(connection)
      throw error
    }
  }

  #drop(connection: DirectConnection): void {
    connection.destroy()
    this.#all.delete(connection)
  }

  #next(): void {
    this.#open--
    this.#queue.shift()?.()
  }
}

function requestText({ method, url, headers }: HttpRequest): string {
  const lines = [`${method} ${url.pathname}${url.search} HTTP/1.1`, `host: ${url.host}`]
  for (const [name, value] of Object.entries(headers)) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: nothing may end a header field before its time
    if (/[\x00\r\n]/.test(value)) throw new TypeError(`the header field ${name} would break the request`)
    lines.push(`${name}: ${value}`)
  }
  return `${lines.join('\r\n')}\r\n\r\n`
}
