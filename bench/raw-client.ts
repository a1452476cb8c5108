// Raw HTTP/1.1 clients that cost as little as can be, and what a process costs, as the kernel accounts it (proc(5)).
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'

const emptyLine = Buffer.from('\r\n\r\n')

/** One connection that is kept: a request, then its whole reply, of which only the head is kept, and the body where it is asked for. */
export class Client {
  readonly #socket: Socket
  #head: Buffer = Buffer.alloc(0)
  #inBody = false
  #leftBytes = 0
  #isHead = false
  readonly #parts: Buffer[] | undefined
  #resolve: (head: string) => void = () => undefined
  #reject: (error: unknown) => void = () => undefined

  constructor(host: string, { keepsBody = false } = {}) {
    this.#parts = keepsBody ? [] : undefined
    const [name, port] = host.split(':')
    const buffer = Buffer.alloc(256 * 1024)
    const onread = { buffer, callback: (count: number) => this.#take(buffer.subarray(0, count)) }
    this.#socket = connect({ host: name as string, port: Number(port), onread } as never)
    this.#socket.setNoDelay(true)
    this.#socket.on('error', (error) => this.#reject(error))
    this.#socket.on('close', () => this.#reject(new Error('the server closed the connection')))
  }

  /** Resolves with the head of the reply once its body is through. */
  request(method: string, path: string, headers = '', body?: Uint8Array): Promise<string> {
    const length = body ? `Content-Length: ${body.length}\r\n` : ''
    this.#isHead = method === 'HEAD'
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    this.#resolve = resolve
    if (this.#parts) this.#parts.length = 0
    this.#reject = reject
    this.#socket.write(`${method} ${path} HTTP/1.1\r\nHost: bench\r\n${length}${headers}\r\n`)
    if (body) this.#socket.write(body)
    return promise
  }

  /** Of the last reply, where bodies are kept. */
  get body(): Buffer {
    return Buffer.concat(this.#parts ?? [])
  }

  close(): void {
    this.#socket.destroy()
  }

  #take(bytes: Buffer): boolean {
    let body: Buffer = bytes
    if (!this.#inBody) {
      this.#head = this.#head.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#head, bytes])
      const end = this.#head.indexOf(emptyLine)
      if (end < 0) return true
      body = this.#head.subarray(end + 4)
      this.#head = this.#head.subarray(0, end)
      this.#inBody = true
      const length = /\r\ncontent-length: *(\d+)/i.exec(this.#head.toString('latin1'))
      this.#leftBytes = this.#isHead ? 0 : Number(length?.[1] ?? 0)
    }
    this.#leftBytes -= body.length
    // The buffer is used again for what comes next.
    this.#parts?.push(Buffer.from(body))
    if (this.#leftBytes > 0) return true
    const head = this.#head.toString('latin1')
    this.#head = Buffer.alloc(0)
    this.#inBody = false
    this.#resolve(head)
    return true
  }
}

/** @returns the head of the reply */
export async function expectStatus(reply: Promise<string>, wanted: number): Promise<string> {
  const head = await reply
  if (!head.startsWith(`HTTP/1.1 ${wanted}`)) throw new Error(`not ${wanted}: ${head.split('\r\n')[0]}`)
  return head
}

/** Processor time of a process since it began. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}
