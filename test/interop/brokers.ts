// Key brokers of ours for guests to talk to: whole ones, with their listeners, in this process, so that a test can
// move their clock and see what they log.
import { generateKeyPairSync } from 'node:crypto'
import { appendFileSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type AdminRequest,
  type BrokerReply,
  configurationName,
  initBroker,
  type OpenBrokerOptions,
  openBroker,
} from '#broker/index.ts'
import { openAudit } from '#gate/index.ts'
import { type BrokerEvent, startBrokerServer } from '#server/index.ts'

type RequestEvent = Extract<BrokerEvent, { event: 'request' }>

export interface TestBroker extends AsyncDisposable {
  /** For guests. */
  readonly url: string
  /** Each request that was answered, in order. */
  readonly requests: RequestEvent[]
  /** Called with each request once it is answered. */
  onRequest: (event: RequestEvent) => void
  /** Milliseconds that the broker's clock is ahead. */
  aheadMs: number
  /** As the owner, past HTTP. @throws where it is refused */
  admin(request: Omit<AdminRequest, 'principal' | 'query'>): Promise<BrokerReply>
}

/** Over what `initBroker` writes. */
export interface TestBrokerTerms {
  readonly tees?: readonly string[]
  /** More of the configuration, as YAML. */
  readonly more?: string
}

const principal = { kind: 'user', name: 'ada' } as const

/** A new broker in a directory or, without terms, the one that is there already; on a free port unless one is named. */
export async function startTestBroker(
  directory: string,
  terms?: TestBrokerTerms,
  listen = '127.0.0.1:0',
): Promise<TestBroker> {
  if (terms) await makeBroker(directory, terms)
  await using stack = new AsyncDisposableStack()
  const logKey = generateKeyPairSync('ed25519').privateKey
  // Each start has a log of its own: this is not about the log.
  const auditDirectory = mkdtempSync(join(directory, 'audit-'))
  const openFiles: OpenBrokerOptions['openAudit'] = async () => {
    const audit = await openAudit({ directory: auditDirectory, origin: 'broker.test/audit', key: logKey })
    return { audit, read: async () => audit, [Symbol.asyncDispose]: () => audit[Symbol.asyncDispose]() }
  }
  const seen: Pick<TestBroker, 'requests' | 'onRequest' | 'aheadMs'> = {
    requests: [],
    onRequest: () => undefined,
    aheadMs: 0,
  }
  const now = () => new Date(Date.now() + seen.aheadMs)
  const opened = stack.use(await openBroker(directory, { openAudit: openFiles, build: 'test', now }))
  const log = (event: BrokerEvent) => {
    if (event.event === 'failure') console.error(event)
    if (event.event !== 'request') return
    seen.requests.push(event)
    seen.onRequest(event)
  }
  const { face, configuration } = opened
  const server = stack.use(await startBrokerServer({ face, configuration, directory, log, now }, listen))
  const running = stack.move()
  return Object.assign(seen, {
    url: server.guestUrl,
    async admin(request: Omit<AdminRequest, 'principal' | 'query'>) {
      const reply = await face.admin({ ...request, query: {}, principal }, AbortSignal.timeout(10_000))
      if (reply.status !== 200) throw new Error(`${reply.status}: ${reply.outcome.message}`)
      return reply
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  })
}

async function makeBroker(directory: string, { tees = [], more = '' }: TestBrokerTerms): Promise<void> {
  const { publicKey } = generateKeyPairSync('ed25519')
  await initBroker(directory, {
    owner: `${principal.kind}:${principal.name}`,
    ownerPublicKey: publicKey.export({ format: 'pem', type: 'spki' }) as string,
    adminListen: '127.0.0.1:0',
  })
  const file = join(directory, configurationName)
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^tees: .*$/m, `tees: [${tees.join(', ')}]`))
  appendFileSync(file, more)
}
