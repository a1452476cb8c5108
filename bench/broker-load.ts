// Many guests at once against one key broker: whole handshakes with one resource, and fetches on one session.
import {
  decryptResponse,
  formatAttestationRequest,
  formatAuthRequest,
  generateTeeKey,
  type InitData,
  primaryReportData,
  sampleEvidence,
  type TeeKeyPair,
} from '#attestation/index.ts'
import { Client, cpuMs, expectStatus } from './raw-client.ts'

const version = '0.4.0'
const tee = 'sample'
const json = 'Content-Type: application/json\r\n'

export interface BrokerLoad {
  readonly host: string
  readonly pid: number
  /** `default/key/one` */
  readonly resource: string
  readonly initData?: InitData
}

export interface LoadFigures {
  readonly count: number
  readonly wallMs: number
  readonly cpuMs: number
  /** In milliseconds, of each one. */
  readonly latencies: readonly number[]
}

const cookieIn = (head: string): string =>
  /\r\nset-cookie: *(kbs-session-id=[0-9a-f]+)/i.exec(head)?.[1] ?? ''

/** Request, challenge, attestation, response. @returns the header with the session */
export async function attest(client: Client, pair: TeeKeyPair, initData?: InitData): Promise<string> {
  const asked = await expectStatus(
    client.request('POST', '/kbs/v0/auth', json, formatAuthRequest({ version, tee })),
    200,
  )
  const { nonce } = JSON.parse(client.body.toString()) as { nonce: string }
  const cookie = `Cookie: ${cookieIn(asked)}\r\n`
  const data = { nonce, teePubkey: pair.jwk, additionalEvidence: '' }
  const primaryEvidence = sampleEvidence(primaryReportData(version, tee, data))
  const body = formatAttestationRequest({ ...data, primaryEvidence, ...(initData && { initData }) }, version)
  await expectStatus(client.request('POST', '/kbs/v0/attest', json + cookie, body), 200)
  return cookie
}

async function handshake(client: Client, pair: TeeKeyPair, broker: BrokerLoad): Promise<void> {
  const cookie = await attest(client, pair, broker.initData)
  await expectStatus(client.request('GET', `/kbs/v0/resource/${broker.resource}`, cookie), 200)
}

/** As many as `count` handshakes by `clients` at once. The first is opened and looked at. */
export async function handshakes(broker: BrokerLoad, clients: number, count: number): Promise<LoadFigures> {
  const pair = await generateTeeKey('P-256')
  return together(broker, clients, count, async () => async (client) => handshake(client, pair, broker), pair)
}

/** Fetches of one resource, each client on a session of its own. */
export async function fetches(broker: BrokerLoad, clients: number, count: number): Promise<LoadFigures> {
  const pair = await generateTeeKey('P-256')
  const path = `/kbs/v0/resource/${broker.resource}`
  return together(
    broker,
    clients,
    count,
    async (client) => {
      const cookie = await attest(client, pair, broker.initData)
      return async () => {
        await expectStatus(client.request('GET', path, cookie), 200)
      }
    },
    pair,
  )
}

/** Sessions that are asked for and go no further. */
export async function begunSessions(
  broker: BrokerLoad,
  clients: number,
  count: number,
): Promise<LoadFigures> {
  const body = formatAuthRequest({ version, tee })
  const ask: Act = async (client) => {
    await expectStatus(client.request('POST', '/kbs/v0/auth', json, body), 200)
  }
  return together(broker, clients, count, async () => ask)
}

type Act = (client: Client) => Promise<void>

async function together(
  { host, pid }: BrokerLoad,
  clients: number,
  count: number,
  begin: (client: Client) => Promise<Act>,
  /** What opens the answers, where there are any to open. */
  pair?: TeeKeyPair,
): Promise<LoadFigures> {
  const connections = Array.from({ length: clients }, () => new Client(host, { keepsBody: true }))
  const acts: Act[] = []
  for (const client of connections) acts.push(await begin(client))
  await acts[0]!(connections[0]!)
  if (pair) decryptResponse(pair, connections[0]!.body, version)
  const before = cpuMs(pid)
  const begun = performance.now()
  const latencies: number[] = []
  let next = 0
  await Promise.all(
    connections.map(async (client, at) => {
      while (next < count) {
        next++
        const start = performance.now()
        await acts[at]!(client)
        latencies.push(performance.now() - start)
      }
    }),
  )
  const wallMs = performance.now() - begun
  const used = cpuMs(pid) - before
  for (const client of connections) client.close()
  return { count: latencies.length, wallMs, cpuMs: used, latencies }
}
