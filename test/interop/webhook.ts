import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { connect } from 'node:tls'
import type { Workbench } from './workbench.ts'

const sealift = join(import.meta.dirname, '..', '..', 'bin', 'sealift')

/** `sealift admission serve`, which can be killed and started again at the same address. */
export class Webhook {
  readonly #bench: Workbench
  readonly #args: readonly string[]
  readonly #port: number
  readonly #log: string
  #child: ChildProcess | undefined

  constructor(bench: Workbench, port: number, args: readonly string[]) {
    this.#bench = bench
    this.#port = port
    this.#args = args
    this.#log = bench.fresh('webhook.log')
    bench.onClose(() => this.kill('SIGTERM'))
  }

  /** Resolves once it takes reviews. */
  async start(): Promise<void> {
    const listen = ['--listen', `127.0.0.1:${this.#port}`, '--verbose', '-o', 'json']
    const child = spawn(sealift, ['admission', 'serve', ...this.#args, ...listen], {
      cwd: this.#bench.folder,
      env: {
        ...process.env,
        SEALIFT_STATE_DIR: this.#bench.path('state'),
        XDG_CONFIG_HOME: this.#bench.path('config'),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    child.stderr.on('data', (text) => appendFileSync(this.#log, text))
    const lines = createInterface({ input: child.stdout })
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`the webhook ended with ${code}: ${this.log()}`)
    })
    await Promise.race([once(lines, 'line'), ended])
    ended.catch(() => undefined)
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill(signal)
    await exit
  }

  log(): string {
    try {
      return readFileSync(this.#log, 'utf8')
    } catch {
      return ''
    }
  }

  /** Serial number of the certificate that is served now, and that of its issuer by name. */
  async certificate(): Promise<{ readonly serial: string; readonly issuer: string }> {
    const socket = connect({ host: '127.0.0.1', port: this.#port, rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const { serialNumber, issuer } = socket.getPeerCertificate()
    socket.destroy()
    return { serial: serialNumber, issuer: String(issuer.CN) }
  }
}
