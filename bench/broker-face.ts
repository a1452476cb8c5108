// A process to measure: `ours`, the listeners of the key broker before a broker that answers at once; `bare`, node's own
// HTTP server that reads a body and writes the same reply. The first line of stdout is its address.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { BrokerFace, BrokerReply } from '../src/broker/index.ts'
import { startBrokerServer } from '../src/server/index.ts'

const body = Buffer.from('{"nonce":"UsyAn8Xky/Rfu0lueA4PSKUcQSQmH94NMy6jT4OBrDE=","extra-params":""}')
const value = '7a0a8b439c1643b09823ed71201526ef'
const reply: BrokerReply = {
  status: 200,
  mediaType: 'application/json',
  body,
  noStore: true,
  cookie: { value, expires: new Date(Date.now() + 300_000) },
  outcome: { call: 'auth', status: 200 },
}

async function ours(): Promise<string> {
  const face: BrokerFace = {
    guest: async () => reply,
    admin: async () => reply,
    notReady: async () => undefined,
    gauges: () => ({}),
  }
  const configuration = { issuer: 'https://bench', limits: { requestsPerSecond: 0 } }
  // Lines are made as `serve` makes them, and go nowhere.
  const log = (event: object) => void JSON.stringify({ time: new Date().toISOString(), ...event })
  const { guestUrl } = await startBrokerServer({ face, configuration, directory: '/', log }, '127.0.0.1:0')
  return guestUrl
}

async function bare(): Promise<string> {
  const cookie = `kbs-session-id=${value}; Expires=Sat, 21 Nov 2026 01:52:34 GMT`
  const headers = ['content-length', String(body.length), 'content-type', 'application/json']
  headers.push('set-cookie', cookie, 'cache-control', 'no-store')
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => response.writeHead(200, headers).end(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

console.log(await (process.argv[2] === 'bare' ? bare() : ours()))
