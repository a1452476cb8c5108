import type { IncomingMessage, ServerResponse } from 'node:http'
import type { BrokerReply, BrokerRequest } from '#broker/index.ts'
import { failure } from '../codes.ts'
import { expositionType } from '../http/exposition.ts'
import type { OnRequest } from '../http/listener.ts'
import { readBody } from '../http/read-body.ts'
import type { ListenerName } from './broker-log.ts'
import type { Connection } from './connection.ts'
import { brokerMethods, Exchange, type ExchangeOptions } from './exchange.ts'
import type { PeerRates } from './peer-rates.ts'
import { parseNames, parseQuery, parseTarget } from './request-target.ts'

/** A prefix of paths and what stands behind it; or a whole path, which stands for these names. */
export interface Way {
  readonly prefix: string
  readonly api: 'kbs' | 'admin'
  readonly names?: readonly string[]
}

/** Who is served at a listener, and by whom: the one thing in which guests' and admins' differ. */
export interface Desk<Who> {
  readonly listener: ListenerName
  readonly ways: readonly Way[]
  /** What proves who asks. @throws what a caller is told of, before the rest of the request is looked at */
  identify(incoming: IncomingMessage, connection: Connection): Who | Promise<Who>
  answer(who: Who, api: Way['api'], request: BrokerRequest, signal: AbortSignal): Promise<BrokerReply>
}

export interface FrontOptions<Who> extends Omit<ExchangeOptions, 'listener' | 'held'> {
  readonly desk: Desk<Who>
  readonly rates: PeerRates
  /** Why it cannot serve now, or undefined. */
  readonly notReady: () => Promise<string | undefined>
  /** What `/metrics` says; without it there is no such path. */
  readonly exposition?: () => string
}

const methods: ReadonlySet<string> = new Set(brokerMethods)

/** Takes requests of one listener apart, asks, and answers: limits, deadline, log and metrics are all here. */
export class Front<Who> {
  readonly #options: FrontOptions<Who>
  readonly #exchangeOptions: ExchangeOptions
  readonly #exchanges = new Set<Exchange>()

  constructor(options: FrontOptions<Who>) {
    this.#options = options
    this.#exchangeOptions = { ...options, listener: options.desk.listener, held: { bytes: 0 } }
  }

  readonly onRequest: OnRequest = (incoming, response, awaitsContinue) => {
    const { url = '', method } = incoming
    if ((method === 'GET' || method === 'HEAD') && url === '/healthz') return void this.#health(response)
    if (method === 'GET' && url === '/metrics' && this.#options.exposition) {
      return plain(response, 200, this.#options.exposition(), expositionType)
    }
    void this.#serve(incoming, response, awaitsContinue)
  }

  /** Ends what is in work with a refusal. */
  giveUp(): void {
    for (const exchange of this.#exchanges) exchange.giveUp(failure('BROKER_STOPPING', 'the broker stops'))
  }

  async #health(response: ServerResponse): Promise<void> {
    const why = this.#options.stopping() ? 'stopping' : await this.#options.notReady()
    plain(response, why === undefined ? 200 : 503, why === undefined ? 'ok\n' : `${why}\n`)
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse, awaitsContinue: boolean): Promise<void> {
    const { metrics, desk } = this.#options
    const exchange = new Exchange(this.#exchangeOptions, incoming, response)
    this.#exchanges.add(exchange)
    metrics.inWork[desk.listener]++
    try {
      this.#admit(exchange)
      const who = await desk.identify(incoming, exchange.connection)
      const { api, request } = await this.#take(exchange, awaitsContinue)
      // Refused at its deadline before it was whole: nothing is done for it any more.
      exchange.signal.throwIfAborted()
      exchange.reply(await desk.answer(who, api, request, exchange.signal), request)
    } catch (error) {
      exchange.refuse(error)
    } finally {
      // An answer that comes after its deadline has kept its place until now: what is in work is bounded by this.
      metrics.inWork[desk.listener]--
      this.#exchanges.delete(exchange)
      exchange.end()
    }
  }

  /** @throws BROKER_RATE_EXCEEDED, BROKER_BUSY */
  #admit({ connection }: Exchange): void {
    const { rates, limits, metrics, desk } = this.#options
    const seconds = rates.take(connection.peer)
    if (seconds > 0) {
      throw failure('BROKER_RATE_EXCEEDED', 'the peer asks more often than it may', { detail: { seconds } })
    }
    if (metrics.inWork[desk.listener] > limits.concurrent) {
      throw failure('BROKER_BUSY', `more than ${limits.concurrent} requests are in work`)
    }
  }

  /** @throws BROKER_TARGET_INVALID, BROKER_QUERY_INVALID, BROKER_METHOD_REFUSED, BROKER_BODY_... */
  async #take(
    exchange: Exchange,
    awaitsContinue: boolean,
  ): Promise<{ readonly api: Way['api']; readonly request: BrokerRequest }> {
    const { desk, limits } = this.#options
    const { incoming, response } = exchange
    const method = incoming.method ?? ''
    const target = parseTarget(incoming.url ?? '', limits)
    const way = desk.ways.find(({ prefix, names }) =>
      names ? target.path === prefix : target.path.startsWith(prefix),
    )
    if (!way) throw failure('BROKER_TARGET_INVALID', 'the path is not one of this listener')
    if (!methods.has(method)) throw failure('BROKER_METHOD_REFUSED', 'the method is none that is answered')
    const path = way.names ?? parseNames(target.path.slice(way.prefix.length), limits)
    const query = parseQuery(target.query, limits)
    if (awaitsContinue && Number(incoming.headers['content-length'] ?? 0) <= limits.bodyBytes) {
      response.writeContinue()
    }
    const body = await readBody(
      incoming,
      {
        maxBytes: limits.bodyBytes,
        drainBytes: awaitsContinue ? limits.bodyBytes : limits.drainBytes,
        tooLarge: () => failure('BROKER_BODY_TOO_LARGE', `the body is over ${limits.bodyBytes} bytes`),
        brokenOff: () => failure('BROKER_BODY_BROKEN', 'the body ended before it was whole'),
        hold: (bytes) => exchange.hold(bytes),
      },
      exchange.signal,
    )
    exchange.isWhole = true
    return { api: way.api, request: { method: method as BrokerRequest['method'], path, query, body } }
  }
}

function plain(response: ServerResponse, status: number, text: string, type = 'text/plain; charset=utf-8') {
  const body = Buffer.from(text)
  response.writeHead(status, {
    'content-length': body.length,
    'content-type': type,
    'cache-control': 'no-store',
  })
  response.end(body)
}
