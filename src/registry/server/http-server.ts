import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { ServerLimits } from '#base/index.ts'
import { failure } from './codes.ts'
import { parseListenAddress } from './listen-address.ts'
import type { ServerAddress } from './options.ts'
import { Refusal } from './refusal.ts'
import type { TlsFiles } from './tls-files.ts'

export type OnRequest = (request: IncomingMessage, response: ServerResponse, awaitsContinue: boolean) => void

/** node's server with every limit set, and nothing of our own protocol in it. */
export function makeHttpServer(
  limits: ServerLimits,
  tls: TlsFiles | undefined,
  onRequest: OnRequest,
): Server | TlsServer {
  const options: ServerOptions = {
    headersTimeout: limits.headersMs,
    // Bodies may take hours: they are watched for progress instead.
    requestTimeout: 0,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: Math.max(50, Math.min(2000, limits.headersMs / 4)),
    maxHeaderSize: limits.headerBytes,
    noDelay: true,
  }
  const server = tls ? createTlsServer({ ...options, ...tls, minVersion: 'TLSv1.2' }) : createServer(options)
  server.maxConnections = limits.connections
  server.on('request', (request, response) => onRequest(request, response, false))
  server.on('checkContinue', (request, response) => onRequest(request, response, true))
  server.on('clientError', answerClientError)
  return server
}

const headRefusals: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: new Refusal(431, 'SIZE_INVALID', 'the request head is too large'),
  ERR_HTTP_REQUEST_TIMEOUT: new Refusal(408, 'UNSUPPORTED', 'the request came too slowly'),
}
const malformed = new Refusal(400, 'UNSUPPORTED', 'this is not an HTTP request')

/** What never became a request still gets an answer in our own form. */
function answerClientError(error: NodeJS.ErrnoException, socket: Socket & { _httpMessage?: unknown }): void {
  // In the middle of a reply there is nothing to say any more.
  if (error.code === 'ECONNRESET' || !socket.writable || socket._httpMessage) {
    socket.destroy()
    return
  }
  const refusal = headRefusals[error.code ?? ''] ?? malformed
  const body = refusal.body()
  socket.end(
    `HTTP/1.1 ${refusal.status} Refused\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  )
}

/** @throws LISTEN_FAILED, LISTEN_ADDRESS_INVALID */
export async function listenAt(server: Server | TlsServer, text: string): Promise<ServerAddress> {
  const wanted = parseListenAddress(text)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen({ ...wanted, backlog: 1024 }, resolve)
  try {
    await promise
  } catch (cause) {
    throw failure('LISTEN_FAILED', `cannot listen on ${text}: ${(cause as NodeJS.ErrnoException).code}`, {
      cause,
    })
  } finally {
    server.off('error', reject)
  }
  const { address: host, port } = server.address() as AddressInfo
  const registry = `${host.includes(':') ? `[${host}]` : host}:${port}`
  return { host, port, registry, url: `${'setSecureContext' in server ? 'https' : 'http'}://${registry}` }
}

/** Resolves when no connection is left; those still busy after `graceMs` are cut off. */
export async function stopListening(server: Server | TlsServer, graceMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  server.close(() => resolve())
  if (graceMs <= 0) server.closeAllConnections()
  const cutOff = setTimeout(() => server.closeAllConnections(), graceMs)
  // A connection whose last reply has just gone out is idle only from then on.
  const idle = setInterval(() => server.closeIdleConnections(), 20)
  await promise
  clearTimeout(cutOff)
  clearInterval(idle)
}
