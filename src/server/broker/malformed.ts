import type { Socket } from 'node:net'
import type { BrokerLog, ListenerName } from './broker-log.ts'
import type { BrokerMetrics } from './broker-metrics.ts'
import { problemBody } from './problems.ts'

const statuses: Readonly<Record<string, readonly [number, string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'the head of the request is too large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'the request came too slowly'],
}

/** Answers what node's parser did not take for a request, in the form of all other refusals, and ends the connection. */
export const onMalformed =
  (listener: ListenerName, metrics: BrokerMetrics, log: BrokerLog) =>
  (error: NodeJS.ErrnoException, socket: Socket & { _httpMessage?: unknown }): void => {
    const { code = '' } = error
    const isGone = code === 'ECONNRESET' || code === 'EPIPE'
    if (!isGone) {
      if (code === 'ERR_HTTP_REQUEST_TIMEOUT') metrics.limitHit('headersSeconds')
      // Node's own codes, and never its text: that has what was sent in it.
      const peer = socket.remoteAddress ?? ''
      log({
        event: 'malformed',
        level: 'warn',
        listener,
        peer,
        code: /^[A-Z_0-9]{1,64}$/.test(code) ? code : '',
      })
    }
    // In the middle of a reply there is nothing to say any more.
    if (isGone || !socket.writable || socket._httpMessage) return void socket.destroy()
    const [status, detail] = statuses[code] ?? [400, 'this is not a request']
    const body = problemBody({ status, variant: 'SerdeError', detail })
    const head = `HTTP/1.1 ${status} Refused\r\ncontent-length: ${body.length}\r\ncontent-type: application/json\r\n`
    socket.end(`${head}connection: close\r\n\r\n${Buffer.from(body)}`, () => socket.destroy())
  }
