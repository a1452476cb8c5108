import { type IncomingHttpHeaders, type RequestOptions, request } from 'node:http'
import { request as secureRequest } from 'node:https'
import { connect } from 'node:net'
import { type BrokerServerLimits, brokerServerLimits } from '#base/index.ts'
import type { AdminRequest, BrokerFace, BrokerReply, GuestRequest } from '#broker/index.ts'
import type { BrokerEvent } from './broker-log.ts'
import { type BrokerServerOptions, startBrokerServer } from './broker-server.ts'

/** Answers everything with what it was asked, and keeps that. */
export class TestFace implements BrokerFace {
  readonly guests: GuestRequest[] = []
  readonly admins: AdminRequest[] = []
  /** Runs before each answer. */
  before: (signal: AbortSignal) => Promise<void> = async () => undefined
  /** Over the usual answer. */
  reply: Partial<BrokerReply> = {}
  why: string | undefined
  asked = 0

  async guest(request: GuestRequest, signal: AbortSignal): Promise<BrokerReply> {
    this.guests.push(request)
    await this.before(signal)
    return this.#answer(request.path)
  }

  async admin(request: AdminRequest, signal: AbortSignal): Promise<BrokerReply> {
    this.admins.push(request)
    await this.before(signal)
    return this.#answer(request.path)
  }

  async notReady(): Promise<string | undefined> {
    this.asked++
    return this.why
  }

  gauges(): Readonly<Record<string, number>> {
    return { sessions: 3, released_total: 7, 'not a name': 1 }
  }

  #answer(path: readonly string[]): BrokerReply {
    const status = this.reply.status ?? 200
    return {
      status,
      mediaType: 'application/json',
      body: Buffer.from('{}'),
      noStore: false,
      outcome: { call: path[0] ?? 'unknown', status, caller: 'user:test', entry: 5 },
      ...this.reply,
    }
  }
}

export interface Answered {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
  readonly text: string
}

/** One request over a connection of its own. */
export function send(
  url: string,
  options: RequestOptions & { readonly ca?: string; readonly cert?: string; readonly key?: string } = {},
  body?: string | Uint8Array,
): Promise<Answered> {
  const ask = url.startsWith('https:') ? secureRequest : request
  return new Promise((resolve, reject) => {
    const sent = ask(url, { agent: false, ...options }, (reply) => {
      const parts: Buffer[] = []
      reply.on('data', (part: Buffer) => parts.push(part))
      reply.on('error', reject)
      reply.on('end', () => {
        const { statusCode = 0, headers, rawHeaders } = reply
        resolve({ status: statusCode, headers, rawHeaders, text: Buffer.concat(parts).toString() })
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** All that a server says to these bytes until it ends the connection, or until `enough` of it is there. */
export function sendRaw(
  url: string,
  bytes: string | Uint8Array,
  enough: (text: string) => boolean = () => false,
): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve) => {
    let text = ''
    const socket = connect(Number(port), hostname, () => socket.write(bytes))
    socket.setEncoding('latin1')
    socket.on('data', (part: string) => {
      text += part
      if (enough(text)) socket.destroy()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(text))
  })
}

/** A server with a face for tests, on ports of its own. */
export async function startTest(
  configuration: Partial<BrokerServerOptions['configuration']> = {},
  limits: Partial<BrokerServerLimits> = {},
  options: Partial<BrokerServerOptions> = {},
) {
  const face = new TestFace()
  const events: BrokerEvent[] = []
  const server = await startBrokerServer(
    {
      face,
      configuration: { issuer: 'https://broker.example', ...configuration },
      directory: '/',
      log: (event) => events.push(event),
      limits: { ...brokerServerLimits, ...limits },
      ...options,
    },
    '127.0.0.1:0',
  )
  const requests = () => events.filter((event) => event.event === 'request')
  return {
    ...{ face, events, requests, server },
    guestUrl: server.guestUrl,
    adminUrl: server.adminUrl ?? '',
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}
