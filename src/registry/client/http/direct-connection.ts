import { connect, type Socket } from 'node:net'
import type { Limits } from '#base/index.ts'
import { failure } from '../codes.ts'
import { parseResponseHead, type ResponseHead } from './response-head.ts'

/** Who is told what arrives; one at a time. */
export interface Receiver {
  /** False: no more until `resume`. The bytes are valid until then, or until the call returns true. */
  onBytes(bytes: Uint8Array): boolean
  onEnd(error: Error): void
}

const bufferBytes = 256 * 1024

/**
 * One plain TCP connection whose bytes arrive in one reused buffer. Half the time of undici for a large blob: no
 * stream, no parser over the body, no allocation per chunk.
 */
export class DirectConnection {
  readonly #socket: Socket
  readonly #limits: Limits
  #receiver: Receiver | undefined
  #head: { text: string; resolve: (head: HeadAndRest) => void; reject: (error: Error) => void } | undefined
  #paused = false
  #timedOutWhilePaused = false
  #ended: Error | undefined
  /** Told when an idle connection ends. */
  onIdleEnd: () => void = () => {}

  constructor(host: string, port: number, limits: Limits) {
    this.#limits = limits
    this.#socket = connect({
      host,
      port,
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafeSlow(bufferBytes),
        callback: (count, buffer) => this.#arrived((buffer as Buffer).subarray(0, count)),
      },
    })
    this.#socket.setTimeout(limits.connectMs)
    this.#socket.on('connect', () => this.#socket.setTimeout(limits.silenceMs))
    this.#socket.on('timeout', () => {
      this.#timedOutWhilePaused = this.#paused
      if (this.#paused) return
      const code = this.#socket.connecting ? 'REGISTRY_UNREACHABLE' : 'REGISTRY_STALLED'
      this.#socket.destroy(failure(code, `${host}:${port} says nothing`))
    })
    this.#socket.on('error', (error) => this.#end(error))
    this.#socket.on('close', () => this.#end(failure('REGISTRY_CONNECTION_LOST', `${host}:${port} hung up`)))
  }

  /** Sends a request without a body and waits for the head of its answer; the connection is paused then. */
  request(text: string): Promise<HeadAndRest> {
    if (this.#ended) return Promise.reject(this.#ended)
    this.#socket.ref()
    return new Promise((resolve, reject) => {
      this.#head = { text: '', resolve, reject }
      this.#socket.write(text, 'latin1')
    })
  }

  /** Where the body goes; `undefined` makes the connection idle: it then keeps no process alive. */
  deliverTo(receiver: Receiver | undefined): void {
    this.#receiver = receiver
    if (!receiver) this.#socket.unref()
    if (receiver && this.#ended) receiver.onEnd(this.#ended)
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    // The clock stands still while the reader is slow; it has to be wound up again.
    if (this.#timedOutWhilePaused) this.#socket.setTimeout(this.#limits.silenceMs)
    this.#timedOutWhilePaused = false
    this.#socket.resume()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #arrived(bytes: Buffer): boolean {
    const goOn = this.#head ? this.#arrivedInHead(bytes) : (this.#receiver?.onBytes(bytes) ?? this.#unasked())
    this.#paused = !goOn
    return goOn
  }

  #arrivedInHead(bytes: Buffer): boolean {
    const head = this.#head!
    const before = head.text.length
    head.text += bytes.toString('latin1')
    try {
      const end = this.#endOfHead(head.text)
      if (end === undefined) return true
      const parsed = parseResponseHead(head.text.slice(0, end - 4))
      const rest = bytes.subarray(end - before)
      if (parsed.status >= 200) {
        this.#head = undefined
        head.resolve({ head: parsed, rest })
        return false
      }
      // 100 Continue and its like come before the answer.
      head.text = ''
      return rest.length > 0 ? this.#arrivedInHead(rest) : true
    } catch (error) {
      this.#socket.destroy(error as Error)
      return false
    }
  }

  /** Where the body begins, as far as the head is here. @throws REGISTRY_ANSWER_INVALID */
  #endOfHead(text: string): number | undefined {
    const { headerBytes } = this.#limits
    if (!'HTTP/1.'.startsWith(text.slice(0, 7))) {
      throw failure('REGISTRY_ANSWER_INVALID', 'the answer does not begin like one of HTTP/1')
    }
    const at = text.indexOf('\r\n\r\n')
    const length = at < 0 ? text.length : at
    if (length > headerBytes) {
      throw failure('REGISTRY_ANSWER_INVALID', `the header of the answer is over ${headerBytes} bytes`)
    }
    return at < 0 ? undefined : at + 4
  }

  #unasked(): boolean {
    this.#socket.destroy()
    return false
  }

  #end(error: Error): void {
    if (this.#ended) return
    this.#ended = error
    this.#head?.reject(error)
    this.#head = undefined
    if (this.#receiver) this.#receiver.onEnd(error)
    else this.onIdleEnd()
  }
}

/** `rest`: what came of the body together with the head; valid until the connection is resumed. */
export interface HeadAndRest {
  readonly head: ResponseHead
  readonly rest: Uint8Array
}
