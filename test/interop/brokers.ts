// Key brokers of ours for guests to talk to: one in this process, whose clock a test can move, and one as users start
// it, which can be killed.
import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { appendFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { adminToken, configurationName, initBroker } from '#broker/index.ts'
import { type BrokerEvent, startBrokerServer } from '#server/index.ts'
import { brokerScene, owner } from '../support/broker-scene.ts'
import { sealiftProgram } from './workbench.ts'

export type RequestEvent = Extract<BrokerEvent, { event: 'request' }>

/** What a test sees of a broker. */
export interface GuestsBroker extends AsyncDisposable {
  /** For guests. */
  readonly url: string
  /** Each request that was answered, in order. */
  readonly requests: RequestEvent[]
  /** Called with each request once it is answered. */
  onRequest: (event: RequestEvent) => void
  /** A call of Trustee's admins, by the owner. @throws where it is refused */
  post(path: string, body: object | string): Promise<void>
}

/** A broker whose clock stands still until a test moves it. */
export interface ClockedBroker extends GuestsBroker {
  readonly clock: { at: Date }
}

const anyPort = '127.0.0.1:0'
const bytesOf = (body: object | string) => Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))

/** In this process. @param tees that are switched on @param more of the configuration, as YAML */
export async function clockedBroker(tees: readonly string[], more = ''): Promise<ClockedBroker> {
  await using stack = new AsyncDisposableStack()
  const scene = stack.use(
    await brokerScene((yaml) =>
      yaml
        .replaceAll(/listen: 127\.0\.0\.1:\d+/g, `listen: ${anyPort}`)
        .replace(/^tees: .*$/m, `tees: [${tees.join(', ')}]`)
        .concat(more),
    ),
  )
  const { broker, directory, face, clock } = scene
  const { configuration } = broker
  const seen: Pick<GuestsBroker, 'requests' | 'onRequest'> = { requests: [], onRequest: () => undefined }
  const log = (event: BrokerEvent) => {
    if (event.event === 'failure') console.error(event)
    if (event.event === 'request' && event.listener === 'guests') {
      seen.requests.push(event)
      seen.onRequest(event)
    }
  }
  const options = { face, configuration, directory, log, now: () => clock.at }
  const server = stack.use(await startBrokerServer(options))
  const running = stack.move()
  return Object.assign(seen, {
    url: server.guestUrl,
    clock,
    async post(path: string, body: object | string) {
      const { status, outcome } = await scene.admin('POST', `kbs:${path}`, bytesOf(body))
      if (status !== 200) throw new Error(`${path}: ${status} ${outcome.message}`)
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  })
}

/** Behind one address that stays: while no process runs, connections wait. */
export interface ServedBroker extends GuestsBroker {
  /** Kills the process (SIGKILL) and starts another on the same folder. */
  killAndStart(): Promise<void>
}

/** `sealift broker serve`. @param directory that is not there yet @param more of the configuration, as YAML */
export async function servedBroker(directory: string, more = ''): Promise<ServedBroker> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const issuer = 'https://broker.test'
  await initBroker(directory, {
    owner: `${owner.kind}:${owner.name}`,
    ownerPublicKey: publicKey.export({ format: 'pem', type: 'spki' }) as string,
    withSample: true,
    issuer,
    listen: anyPort,
    adminListen: anyPort,
  })
  appendFileSync(join(directory, configurationName), more)
  const seen: Pick<GuestsBroker, 'requests' | 'onRequest'> = { requests: [], onRequest: () => undefined }
  let serving = serve(directory, seen)
  const listener = createServer((guest) => {
    guest.on('error', () => guest.destroy())
    serving.then(
      ({ url }) => {
        const broker = connect(Number(new URL(url).port), '127.0.0.1')
        broker.on('error', () => guest.destroy()).on('close', () => guest.destroy())
        guest.on('close', () => broker.destroy())
        guest.pipe(broker).pipe(guest)
      },
      () => guest.destroy(),
    )
  }).listen(0, '127.0.0.1')
  await Promise.all([serving, once(listener, 'listening')])
  return Object.assign(seen, {
    url: `http://127.0.0.1:${(listener.address() as { port: number }).port}`,
    async post(path: string, body: object | string) {
      const { adminUrl } = await serving
      const token = adminToken({ privateKey, audience: issuer })
      const response = await fetch(`${adminUrl}/kbs/v0/${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
        body: bytesOf(body),
      })
      if (response.status !== 200) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    },
    async killAndStart() {
      const { child } = await serving
      const gone = once(child, 'exit')
      serving = gone.then(() => serve(directory, seen))
      child.kill('SIGKILL')
      await serving
    },
    async [Symbol.asyncDispose]() {
      listener.close()
      const { child } = await serving
      if (child.exitCode !== null) return
      const gone = once(child, 'exit')
      child.kill('SIGTERM')
      await gone
    },
  })
}

async function serve(
  directory: string,
  seen: Pick<GuestsBroker, 'requests' | 'onRequest'>,
): Promise<{ child: ChildProcess; url: string; adminUrl: string }> {
  const child = spawn(sealiftProgram, ['broker', 'serve', directory, '--verbose', '-o', 'json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said: string[] = []
  createInterface({ input: child.stderr }).on('line', (line) => {
    said.push(line)
    if (!line.startsWith('{')) return
    const event = JSON.parse(line) as BrokerEvent
    if (event.event !== 'request' || event.listener !== 'guests') return
    seen.requests.push(event)
    seen.onRequest(event)
  })
  const started = once(createInterface({ input: child.stdout }), 'line') as Promise<[string]>
  const ended = once(child, 'exit').then(() => Promise.reject(new Error(said.join('\n'))))
  const [line] = await Promise.race([started, ended])
  ended.catch(() => undefined)
  return { child, ...(JSON.parse(line) as { url: string; adminUrl: string }) }
}
